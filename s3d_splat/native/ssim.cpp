// Structural similarity with an 11 x 11 Gaussian window, sigma 1.5, reflected borders (Wang et al., 2004), mean absolute and squared
// difference, and the gradient of a weighted sum of the first two.
// An image is h rows of w * c interleaved values: the vertical pass ignores pixels and channels, the horizontal one steps by c.
#include "buffers.h"
#include "simd.h"

#include <algorithm>
#include <atomic>
#include <vector>

namespace s3d {
namespace {

constexpr int kRadius = 5, kTaps = 2 * kRadius + 1;
constexpr double kSigma = 1.5, kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;

template <class S> struct Window {
  S tap[kTaps];

  Window() {
    double total = 0, value[kTaps];
    for (int k = 0; k < kTaps; ++k) total += value[k] = std::exp(-0.5 * (k - kRadius) * (k - kRadius) / (kSigma * kSigma));
    for (int k = 0; k < kTaps; ++k) tap[k] = S(value[k] / total);
  }
};

// The rows that one row of the result is made of, and their weights. Transposed: of the transposed operator (for the gradient).
template <class S> struct RowMix {
  int first;  // source rows first .. first + kTaps - 1, weight 0 outside the image
  S weight[kTaps];

  RowMix(const Window<S>& window, int row, int rows, bool transposed) : first(row - kRadius) {
    for (int i = 0; i < kTaps; ++i) {
      const int other = first + i;
      weight[i] = S(0);
      if (other < 0 || other >= rows) continue;
      const int to = transposed ? row : other, from = transposed ? other : row;
      // The taps of row `from` that fall on row `to`: directly, reflected at the top, reflected at the bottom.
      const int hits[3] = {to, to > 0 ? -to : rows + kTaps, to < rows - 1 ? 2 * (rows - 1) - to : -kTaps};
      for (int hit : hits)
        if (std::abs(hit - from) <= kRadius) weight[i] += window.tap[hit - from + kRadius];
    }
  }
  // The part of the weights that belongs to rows of the image.
  int begin() const { return std::max(0, -first); }
  int end(int rows) const { return std::min(kTaps, rows - first); }
};

struct Size {
  int rows, columns, channels;
  int64_t stride() const { return int64_t(columns) * channels; }
};

// Row buffers with kRadius pixels of margin at both ends (two margins for the transposed pass).
template <class S> struct RowBuffer {
  Buffer<S> memory;
  S* reserve(const Size& size) { return memory.reserve((size.columns + 4 * kRadius) * size_t(size.channels)) + 2 * kRadius * size.channels; }
};

template <class S> void reflect_ends(S* row, const Size& size) {
  const int c = size.channels, last = size.columns - 1;
  for (int p = 1; p <= kRadius; ++p)
    for (int k = 0; k < c; ++k) {
      row[-p * c + k] = row[p * c + k];
      row[(last + p) * c + k] = row[(last - p) * c + k];
    }
}

// body(type of the values, j) over begin..end, a vector of values at a time; the last vector may overlap the one before, so that
// a body must write nothing but functions of what it does not write. Fewer values than a vector are taken one by one.
template <class S, class Body> S3D_INLINE void over_values(int64_t begin, int64_t end, Body body) {
  int64_t j = begin;
  for (; j + kLanes<S> <= end; j += kLanes<S>) body(Vec<S>{}, j);
  if (j == end) return;
  if (end - begin >= kLanes<S>) body(Vec<S>{}, end - kLanes<S>);
  else
    for (; j < end; ++j) body(S(0), j);
}

template <class T, class S> S3D_INLINE T read(const S* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <class T, class S> S3D_INLINE void write(S* p, T value) { std::memcpy(p, &value, sizeof value); }

// out[j] = sum_k tap[k] row[j + (k - radius) channels] for j in [begin, end)
template <class S> void mix_columns(const S* row, const Window<S>& window, int c, int64_t begin, int64_t end, S* out) {
  over_values<S>(begin, end, [&](auto type, int64_t j) {
    using T = decltype(type);
    T sum{};
    for (int k = 0; k < kTaps; ++k) sum += window.tap[k] * read<T>(row + j + (k - kRadius) * c);
    write(out + j, sum);
  });
}

// Sum in double precision, in an order that depends on nothing but n.
template <class S, class Value> double sum_of(int64_t n, Value value) {
  double part[8] = {};
  int64_t j = 0;
  for (; j + 8 <= n; j += 8)
    for (int i = 0; i < 8; ++i) part[i] += double(value(j + i));
  for (; j < n; ++j) part[0] += double(value(j));
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

enum Moment { kX, kY, kXX, kYY, kXY, kMoments };

template <class S> struct ForwardRows {
  RowBuffer<S> vertical[kMoments];
  Buffer<S> mixed[kMoments], index;
};

template <class S>
void window_moments(const S* x, const S* y, const Size& size, const Window<S>& window, int row, ForwardRows<S>& buffers, S** out) {
  const int64_t n = size.stride();
  const RowMix<S> mix(window, row, size.rows, false);
  S* v[kMoments];
  for (int m = 0; m < kMoments; ++m) {
    v[m] = buffers.vertical[m].reserve(size);
    out[m] = buffers.mixed[m].reserve(n);
  }
  const int first = mix.begin(), last = mix.end(size.rows);
  over_values<S>(0, n, [&](auto type, int64_t j) {
    using T = decltype(type);
    T sum[kMoments] = {};
    for (int i = first; i < last; ++i) {
      const T a = read<T>(x + (mix.first + i) * n + j), b = read<T>(y + (mix.first + i) * n + j);
      const T wa = mix.weight[i] * a, wb = mix.weight[i] * b;
      sum[kX] += wa, sum[kY] += wb;
      sum[kXX] += wa * a, sum[kYY] += wb * b, sum[kXY] += wa * b;
    }
    for (int m = 0; m < kMoments; ++m) write(v[m] + j, sum[m]);
  });
  for (int m = 0; m < kMoments; ++m) {
    reflect_ends(v[m], size);
    mix_columns(v[m], window, size.channels, 0, n, out[m]);
  }
}

// The index of every value of one row; with `derivatives`, d(index)/d(mean of x, mean of x^2, mean of xy) too.
template <class S> void index_row(S* const* moments, int64_t n, S* index, S* d_x, S* d_xx, S* d_xy) {
  const S c1 = S(kC1), c2 = S(kC2), two = 2;
  over_values<S>(0, n, [&](auto type, int64_t j) {
    using T = decltype(type);
    const T mx = read<T>(moments[kX] + j), my = read<T>(moments[kY] + j), zero{};
    const T variance = read<T>(moments[kXX] + j) - mx * mx, variance_y = read<T>(moments[kYY] + j) - my * my;
    const T sx = variance > zero ? variance : zero, sy = variance_y > zero ? variance_y : zero;
    const T sxy = read<T>(moments[kXY] + j) - mx * my;
    const T a1 = two * mx * my + c1, a2 = two * sxy + c2, b1 = mx * mx + my * my + c1, b2 = sx + sy + c2;
    const T inverse = S(1) / (b1 * b2), value = a1 * a2 * inverse;
    write(index + j, value);
    if (!d_x) return;
    const T through_variance = variance > zero ? -value / b2 : zero, through_covariance = two * a1 * inverse;
    write(d_xx + j, through_variance);
    write(d_xy + j, through_covariance);
    const T through_mean = two * my * a2 * inverse - two * mx * value / b1;
    write(d_x + j, T(through_mean - my * through_covariance - two * mx * through_variance));
  });
}

// One row of the gradient: the three derivative maps through the transposed window, times what multiplies them.
template <class S> struct BackwardRows {
  RowBuffer<S> vertical, wide;
  Buffer<S> mixed[3];
};

template <class S>
void transposed_window(const S* map, const Size& size, const Window<S>& window, const RowMix<S>& mix, BackwardRows<S>& buffers, S* out) {
  const int64_t n = size.stride();
  const int c = size.channels, margin = kRadius * c;
  S* v = buffers.vertical.reserve(size);
  S* wide = buffers.wide.reserve(size);
  std::fill(v - 2 * margin, v, S(0));
  std::fill(v + n, v + n + 2 * margin, S(0));
  const int first = mix.begin(), last = mix.end(size.rows);
  over_values<S>(0, n, [&](auto type, int64_t j) {
    using T = decltype(type);
    T sum{};
    for (int i = first; i < last; ++i) sum += mix.weight[i] * read<T>(map + (mix.first + i) * n + j);
    write(v + j, sum);
  });
  mix_columns<S>(v, window, c, -margin, n + margin, wide);
  for (int p = 1; p <= kRadius; ++p)
    for (int k = 0; k < c; ++k) {
      wide[p * c + k] += wide[-p * c + k];
      wide[(size.columns - 1 - p) * c + k] += wide[(size.columns - 1 + p) * c + k];
    }
  std::copy(wide, wide + n, out);
}

// What the gradient is of: index * (mean index) + difference * (mean |x - y|).
struct Weights {
  double index, difference;
};

template <class S>
void gradient_row(const S* x, const S* y, S* const* maps, const Size& size, const Window<S>& window, const Weights& weights, int row,
                  BackwardRows<S>& buffers, S* out) {
  const int64_t n = size.stride();
  const RowMix<S> mix(window, row, size.rows, true);
  S* d[3];
  for (int m = 0; m < 3; ++m) {
    d[m] = buffers.mixed[m].reserve(n);
    transposed_window<S>(maps[m], size, window, mix, buffers, d[m]);
  }
  const double area = double(size.rows) * double(n);
  const S scale = S(weights.index / area), step = S(weights.difference / area);
  over_values<S>(0, n, [&](auto type, int64_t j) {
    using T = decltype(type);
    const T a = read<T>(x + row * n + j), b = read<T>(y + row * n + j), zero{}, up = zero + step;
    const T window_part = read<T>(d[0] + j) + S(2) * a * read<T>(d[1] + j) + b * read<T>(d[2] + j);
    const T sign_part = a > b ? up : (a < b ? -up : zero);
    write(out + j, T(scale * window_part + sign_part));
  });
}

template <class Rows, class Body> int over_rows(int rows, int threads, Body body) {
  std::atomic<bool> failed{false};
  parallel_ranges(rows, threads, 16, [&](long begin, long end) {
    try {
      Rows buffers;
      for (long row = begin; row < end; ++row) body(int(row), buffers);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
  });
  return failed ? kOutOfMemory : kOk;
}

// values: mean index, mean |x - y|, mean (x - y)^2. `maps` [3, h, w, c] is the workspace of the gradient; both may be null.
template <class S>
int ssim(const S* x, const S* y, const Size& size, const Weights& weights, double* values, S* maps, S* gradient, int threads) {
  if (size.rows <= kRadius || size.columns <= kRadius) return kBadArgument;
  const Window<S> window;
  const int64_t n = size.stride(), area = n * size.rows;
  S* map[3] = {maps, maps ? maps + area : nullptr, maps ? maps + 2 * area : nullptr};
  std::vector<double> sums(3 * size.rows);
  int status = over_rows<ForwardRows<S>>(size.rows, threads, [&](int row, ForwardRows<S>& buffers) {
    S* moments[kMoments];
    window_moments(x, y, size, window, row, buffers, moments);
    const int64_t at = row * n;
    S* index = buffers.index.reserve(n);
    index_row<S>(moments, n, index, maps ? map[0] + at : nullptr, maps ? map[1] + at : nullptr, maps ? map[2] + at : nullptr);
    const S *a = x + at, *b = y + at;
    sums[3 * row] = sum_of<S>(n, [&](int64_t j) { return index[j]; });
    sums[3 * row + 1] = sum_of<S>(n, [&](int64_t j) { return std::abs(a[j] - b[j]); });
    sums[3 * row + 2] = sum_of<S>(n, [&](int64_t j) { return (a[j] - b[j]) * (a[j] - b[j]); });
  });
  if (status != kOk) return status;
  for (int k = 0; k < 3; ++k) {
    double total = 0;
    for (int row = 0; row < size.rows; ++row) total += sums[3 * row + k];
    values[k] = total / double(area);
  }
  if (!maps) return kOk;
  return over_rows<BackwardRows<S>>(size.rows, threads, [&](int row, BackwardRows<S>& buffers) {
    gradient_row<S>(x, y, map, size, window, weights, row, buffers, gradient + row * n);
  });
}

}  // namespace
}  // namespace s3d

#define S3D_DEFINE_SSIM(S, SUFFIX)                                                                                            \
  extern "C" int s3d_ssim_##SUFFIX(const S* image, const S* target, int rows, int columns, int channels, double index_weight, \
                                   double difference_weight, double* values, S* maps, S* gradient, int threads) {             \
    return s3d::ssim<S>(image, target, {rows, columns, channels}, {index_weight, difference_weight}, values, maps, gradient,  \
                        threads);                                                                                             \
  }

S3D_DEFINE_SSIM(float, f32)
S3D_DEFINE_SSIM(double, f64)
