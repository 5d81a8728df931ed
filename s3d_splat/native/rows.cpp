// Chosen rows of several tables at once, and the gradient of that. Rows are small: one call for all tables spares the waiting of one
// call for each.
#include "buffers.h"

#include <algorithm>
#include <cstdint>

namespace s3d {
namespace {

bool in_range(const int64_t* index, int64_t count, int64_t rows) {
  return std::all_of(index, index + count, [rows](int64_t i) { return i >= 0 && i < rows; });
}

template <class S>
int gather(const int64_t* index, int64_t count, int64_t rows, int tables, const S* const* from, const int64_t* widths, S* const* to,
           int threads) {
  if (!in_range(index, count, rows)) return kBadIndex;
  parallel_ranges(count, threads, 512, [&](int64_t begin, int64_t end) {
    for (int t = 0; t < tables; ++t) {
      const int64_t width = widths[t];
      for (int64_t i = begin; i < end; ++i) std::copy_n(from[t] + index[i] * width, width, to[t] + i * width);
    }
  });
  return kOk;
}

// to[index[i]] += from[i], the rest zero; each thread owns a part of the rows, so that rows may occur more than once.
template <class S>
int scatter(const int64_t* index, int64_t count, int64_t rows, int tables, const S* const* from, const int64_t* widths, S* const* to,
            int threads) {
  if (!in_range(index, count, rows)) return kBadIndex;
  parallel_ranges(rows, threads, 512, [&](int64_t begin, int64_t end) {
    for (int t = 0; t < tables; ++t) {
      const int64_t width = widths[t];
      std::fill(to[t] + begin * width, to[t] + end * width, S(0));
      for (int64_t i = 0; i < count; ++i) {
        if (index[i] < begin || index[i] >= end) continue;
        S* row = to[t] + index[i] * width;
        for (int64_t k = 0; k < width; ++k) row[k] += from[t][i * width + k];
      }
    }
  });
  return kOk;
}

}  // namespace
}  // namespace s3d

#define S3D_DEFINE_ROWS(S, SUFFIX)                                                                                               \
  extern "C" int s3d_gather_##SUFFIX(const int64_t* index, int64_t count, int64_t rows, int tables, const S* const* from,        \
                                     const int64_t* widths, S* const* to, int threads) {                                         \
    return s3d::gather<S>(index, count, rows, tables, from, widths, to, threads);                                                \
  }                                                                                                                              \
  extern "C" int s3d_scatter_##SUFFIX(const int64_t* index, int64_t count, int64_t rows, int tables, const S* const* from,       \
                                      const int64_t* widths, S* const* to, int threads) {                                        \
    return s3d::scatter<S>(index, count, rows, tables, from, widths, to, threads);                                               \
  }

S3D_DEFINE_ROWS(float, f32)
S3D_DEFINE_ROWS(double, f64)
