// Structural similarity with an 11 x 11 Gaussian window, sigma 1.5, reflected borders, and its gradient (Wang et al., 2004).
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

// out[j] = sum_k tap[k] row[j + (k - radius) channels] for j in [begin, end)
template <class S> void mix_columns(const S* __restrict row, const Window<S>& window, int c, int64_t begin, int64_t end, S* __restrict out) {
  for (int64_t j = begin; j < end; ++j) {
    S sum = 0;
    for (int k = 0; k < kTaps; ++k) sum += window.tap[k] * row[j + (k - kRadius) * c];
    out[j] = sum;
  }
}

enum Moment { kX, kY, kXX, kYY, kXY, kMoments };

template <class S> struct ForwardRows {
  RowBuffer<S> vertical[kMoments];
  Buffer<S> mixed[kMoments];
};

template <class S>
void window_moments(const S* x, const S* y, const Size& size, const Window<S>& window, int row, ForwardRows<S>& buffers, S** out) {
  const int64_t n = size.stride();
  const RowMix<S> mix(window, row, size.rows, false);
  S* v[kMoments];
  for (int m = 0; m < kMoments; ++m) {
    v[m] = buffers.vertical[m].reserve(size);
    out[m] = buffers.mixed[m].reserve(n);
    std::fill(v[m], v[m] + n, S(0));
  }
  S *__restrict vx = v[kX], *__restrict vy = v[kY], *__restrict vxx = v[kXX], *__restrict vyy = v[kYY], *__restrict vxy = v[kXY];
  for (int i = 0; i < kTaps; ++i) {
    const S w = mix.weight[i];
    if (w == S(0)) continue;
    const S* __restrict a = x + (mix.first + i) * n;
    const S* __restrict b = y + (mix.first + i) * n;
    for (int64_t j = 0; j < n; ++j) {
      const S wa = w * a[j], wb = w * b[j];
      vx[j] += wa, vy[j] += wb;
      vxx[j] += wa * a[j], vyy[j] += wb * b[j], vxy[j] += wa * b[j];
    }
  }
  for (int m = 0; m < kMoments; ++m) {
    reflect_ends(v[m], size);
    mix_columns(v[m], window, size.channels, 0, n, out[m]);
  }
}

// Sum of the index over one row; with `derivatives`, d(index)/d(mean of x, mean of x^2, mean of xy) of every value.
template <class S> double index_row(S* const* moments, int64_t n, S* __restrict d_x, S* __restrict d_xx, S* __restrict d_xy) {
  const S c1 = S(kC1), c2 = S(kC2), two = 2;
  const S *__restrict ex = moments[kX], *__restrict ey = moments[kY];
  const S *__restrict exx = moments[kXX], *__restrict eyy = moments[kYY], *__restrict exy = moments[kXY];
  double total = 0;
  for (int64_t j = 0; j < n; ++j) {
    const S mx = ex[j], my = ey[j], variance = exx[j] - mx * mx, variance_y = eyy[j] - my * my;
    const S sx = variance > S(0) ? variance : S(0), sy = variance_y > S(0) ? variance_y : S(0), sxy = exy[j] - mx * my;
    const S a1 = two * mx * my + c1, a2 = two * sxy + c2, b1 = mx * mx + my * my + c1, b2 = sx + sy + c2;
    const S inverse = S(1) / (b1 * b2), index = a1 * a2 * inverse;
    total += double(index);
    if (!d_x) continue;
    const S through_variance = variance > S(0) ? -index / b2 : S(0), through_covariance = two * a1 * inverse;
    d_xx[j] = through_variance;
    d_xy[j] = through_covariance;
    d_x[j] = two * my * a2 * inverse - two * mx * index / b1 - my * through_covariance - two * mx * through_variance;
  }
  return total;
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
  S* __restrict v = buffers.vertical.reserve(size);
  S* wide = buffers.wide.reserve(size);
  std::fill(v - 2 * margin, v + n + 2 * margin, S(0));
  for (int i = 0; i < kTaps; ++i) {
    const S w = mix.weight[i];
    if (w == S(0)) continue;
    const S* __restrict row = map + (mix.first + i) * n;
    for (int64_t j = 0; j < n; ++j) v[j] += w * row[j];
  }
  mix_columns<S>(v, window, c, -margin, n + margin, wide);
  for (int p = 1; p <= kRadius; ++p)
    for (int k = 0; k < c; ++k) {
      wide[p * c + k] += wide[-p * c + k];
      wide[(size.columns - 1 - p) * c + k] += wide[(size.columns - 1 + p) * c + k];
    }
  std::copy(wide, wide + n, out);
}

template <class S>
void gradient_row(const S* x, const S* y, S* const* maps, const Size& size, const Window<S>& window, int row, BackwardRows<S>& buffers,
                  S* __restrict out) {
  const int64_t n = size.stride();
  const RowMix<S> mix(window, row, size.rows, true);
  S* d[3];
  for (int m = 0; m < 3; ++m) {
    d[m] = buffers.mixed[m].reserve(n);
    transposed_window<S>(maps[m], size, window, mix, buffers, d[m]);
  }
  const S scale = S(1.0 / (double(size.rows) * double(n)));
  for (int64_t j = 0; j < n; ++j) out[j] = scale * (d[0][j] + S(2) * x[row * n + j] * d[1][j] + y[row * n + j] * d[2][j]);
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

// `maps` [3, h, w, c] is the workspace of the gradient; both may be null for the value alone.
template <class S>
int ssim(const S* x, const S* y, const Size& size, double* value, S* maps, S* gradient, int threads) {
  if (size.rows <= kRadius || size.columns <= kRadius) return kBadArgument;
  const Window<S> window;
  const int64_t n = size.stride(), area = n * size.rows;
  S* map[3] = {maps, maps ? maps + area : nullptr, maps ? maps + 2 * area : nullptr};
  std::vector<double> sums(size.rows);
  int status = over_rows<ForwardRows<S>>(size.rows, threads, [&](int row, ForwardRows<S>& buffers) {
    S* moments[kMoments];
    window_moments(x, y, size, window, row, buffers, moments);
    const int64_t at = row * n;
    sums[row] = maps ? index_row(moments, n, map[0] + at, map[1] + at, map[2] + at) : index_row<S>(moments, n, nullptr, nullptr, nullptr);
  });
  if (status != kOk) return status;
  double total = 0;
  for (double sum : sums) total += sum;
  *value = total / double(area);
  if (!maps) return kOk;
  return over_rows<BackwardRows<S>>(size.rows, threads, [&](int row, BackwardRows<S>& buffers) {
    gradient_row<S>(x, y, map, size, window, row, buffers, gradient + row * n);
  });
}

}  // namespace
}  // namespace s3d

extern "C" {

int s3d_ssim_f32(const float* image, const float* target, int rows, int columns, int channels, double* value, float* maps,
                 float* gradient, int threads) {
  return s3d::ssim<float>(image, target, {rows, columns, channels}, value, maps, gradient, threads);
}

int s3d_ssim_f64(const double* image, const double* target, int rows, int columns, int channels, double* value, double* maps,
                 double* gradient, int threads) {
  return s3d::ssim<double>(image, target, {rows, columns, channels}, value, maps, gradient, threads);
}
}
