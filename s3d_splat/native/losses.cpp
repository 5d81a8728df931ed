// Losses over the pixels of one view with their gradients: depth, and the mean features and spreads of the masks
// (InstanceGaussian, eq. 4). Sums run over bands of rows and then over the bands, the same for any number of threads.
#include "buffers.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace s3d {
namespace {

constexpr int kBands = 16;

// body(band, begin, end) over `count` pixels in kBands bands.
template <class Body> void over_bands(int64_t count, int threads, Body body) {
  parallel_ranges(kBands, count < 16384 ? 1 : threads, 2, [&](long first, long last) {
    for (long band = first; band < last; ++band) body(band, count * band / kBands, count * (band + 1) / kBands);
  });
}

// Mean |depth - target| where there is a target and alpha is above `opaque`, and its gradient in the depth.
template <class S>
void depth_loss(const S* depth, const S* alpha, const S* target, int64_t count, S opaque, double* value, S* gradient, int threads) {
  double sums[kBands] = {};
  int64_t counts[kBands] = {};
  over_bands(count, threads, [&](int64_t band, int64_t begin, int64_t end) {
    int64_t counted = 0;
    for (int64_t p = begin; p < end; ++p) {
      const bool used = (target[p] > S(0)) & (alpha[p] > opaque);
      const S difference = depth[p] - target[p], sign = S(difference > S(0)) - S(difference < S(0));
      gradient[p] = used ? sign : S(0);
      counted += used;
    }
    double part[8] = {};
    for (int64_t p = begin; p < end; ++p) part[p % 8] += double(gradient[p] * (depth[p] - target[p]));
    sums[band] = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
    counts[band] = counted;
  });
  double total = 0;
  int64_t pixels = 0;
  for (int band = 0; band < kBands; ++band) total += sums[band], pixels += counts[band];
  const S scale = S(1) / S(std::max<int64_t>(pixels, 1));
  *value = total / double(std::max<int64_t>(pixels, 1));
  over_bands(count, threads, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) gradient[p] *= scale;
  });
}

// The pixels of a view: which mask each belongs to.
struct Labels {
  const int32_t* label;   // [pixels]; label 0 and below are no mask
  const uint8_t* usable;  // [pixels]
  int64_t pixels, width;
  int32_t highest;
  const int32_t* row;  // [highest + 1]: the row of a label among the masks, -1 if it is left out

  int32_t row_of(int64_t p) const { return usable[p] && label[p] > 0 && label[p] <= highest ? row[label[p]] : -1; }
};

// Numbers the labels with at least `smallest` usable pixels; returns how many there are.
int32_t number_masks(const Labels& labels, int64_t smallest, int32_t* row) {
  std::vector<int64_t> size(size_t(labels.highest) + 1, 0);
  for (int64_t p = 0; p < labels.pixels; ++p)
    if (labels.usable[p] && labels.label[p] > 0 && labels.label[p] <= labels.highest) ++size[labels.label[p]];
  int32_t masks = 0;
  for (int32_t l = 0; l <= labels.highest; ++l) row[l] = l > 0 && size[l] >= smallest ? masks++ : -1;
  return masks;
}

// body(number of channels), which the compiler knows for the usual number of features.
template <class Body> void with_channels(int channels, Body body) {
  if (channels == 6) body(std::integral_constant<int, 6>{});
  else body(channels);
}

// Adds rows of `columns` sums over the pixels of each mask: add(pixel, row of the mask, its sums).
template <class Add>
std::vector<double> sums_by_mask(const Labels& labels, int32_t masks, int columns, int threads, Add add) {
  const size_t size = size_t(masks) * columns;
  std::vector<double> sums(size * kBands, 0.0);
  over_bands(labels.pixels, threads, [&](int64_t band, int64_t begin, int64_t end) {
    double* of_band = sums.data() + size * band;
    for (int64_t p = begin; p < end; ++p) {
      const int32_t m = labels.row_of(p);
      if (m >= 0) add(p, m, of_band + int64_t(m) * columns);
    }
  });
  for (int band = 1; band < kBands; ++band)
    for (size_t i = 0; i < size; ++i) sums[i] += sums[size * band + i];
  sums.resize(size);
  return sums;
}

template <class S> struct Masks {
  S *mean, *pull, *centre, *size;  // [m, c], [m], [m, 2], [m]
  S* slope;                        // [m, c]: mean unit vector from the mask's mean to its pixels
  S* inverse_distance;             // [pixels]: 1 / distance of a pixel to the mean of its mask
};

template <class S, class Count>
void mask_means(const S* features, Count channels, const Labels& labels, int32_t masks, const Masks<S>& out, int threads) {
  const int columns = channels + 3;
  const uint32_t width = uint32_t(labels.width);
  const std::vector<double> first = sums_by_mask(labels, masks, columns, threads, [&](int64_t p, int32_t, double* sum) {
    for (int k = 0; k < channels; ++k) sum[k] += double(features[p * channels + k]);
    sum[channels] += double(uint32_t(p) % width);
    sum[channels + 1] += double(uint32_t(p) / width);
    sum[channels + 2] += 1;
  });
  for (int32_t m = 0; m < masks; ++m) {
    const double* sum = first.data() + int64_t(m) * columns;
    const double size = sum[channels + 2];
    for (int k = 0; k < channels; ++k) out.mean[m * channels + k] = S(sum[k] / size);
    out.centre[2 * m] = S(sum[channels] / size), out.centre[2 * m + 1] = S(sum[channels + 1] / size);
    out.size[m] = S(size);
  }
  const std::vector<double> second = sums_by_mask(labels, masks, channels + 1, threads, [&](int64_t p, int32_t m, double* sum) {
    const S *value = features + p * channels, *mean = out.mean + int64_t(m) * channels;
    S squared = S(1e-12);  // keeps the gradient of the norm finite for a pixel that equals its mean
    for (int k = 0; k < channels; ++k) squared += (value[k] - mean[k]) * (value[k] - mean[k]);
    const S distance = std::sqrt(squared), inverse = S(1) / distance;
    out.inverse_distance[p] = inverse;
    for (int k = 0; k < channels; ++k) sum[k] += double((value[k] - mean[k]) * inverse);
    sum[channels] += double(distance);
  });
  for (int32_t m = 0; m < masks; ++m) {
    const double* sum = second.data() + int64_t(m) * (channels + 1);
    for (int k = 0; k < channels; ++k) out.slope[m * channels + k] = S(sum[k] / double(out.size[m]));
    out.pull[m] = S(sum[channels] / double(out.size[m]));
  }
}

template <class S, class Count>
void mask_means_backward(const S* features, Count channels, const Labels& labels, int32_t masks, const Masks<S>& given, const S* d_mean,
                         const S* d_pull, S* d_features, int threads) {
  std::vector<S> even(size_t(masks) * channels), pulled(masks);
  for (int32_t m = 0; m < masks; ++m) {
    pulled[m] = d_pull[m] / given.size[m];
    for (int k = 0; k < channels; ++k)
      even[m * channels + k] = (d_mean[m * channels + k] - d_pull[m] * given.slope[m * channels + k]) / given.size[m];
  }
  over_bands(labels.pixels, threads, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      S* d = d_features + p * channels;
      const int32_t m = labels.row_of(p);
      if (m < 0) {
        std::fill(d, d + channels, S(0));
        continue;
      }
      const S factor = pulled[m] * given.inverse_distance[p];
      const S *value = features + p * channels, *mean = given.mean + int64_t(m) * channels, *e = even.data() + int64_t(m) * channels;
      for (int k = 0; k < channels; ++k) d[k] = e[k] + factor * (value[k] - mean[k]);
    }
  });
}

template <class Body> int guarded(Body body) {
  try {
    body();
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
  return kOk;
}

}  // namespace
}  // namespace s3d

// Rows of the outputs of the masks: `highest` of them are given, the first `masks` are written.
#define S3D_DEFINE_LOSSES(S, SUFFIX)                                                                                                \
  extern "C" int s3d_depth_loss_##SUFFIX(const S* depth, const S* alpha, const S* target, int64_t count, double opaque,             \
                                         double* value, S* gradient, int threads) {                                                 \
    s3d::depth_loss<S>(depth, alpha, target, count, S(opaque), value, gradient, threads);                                           \
    return s3d::kOk;                                                                                                                \
  }                                                                                                                                 \
  extern "C" int s3d_mask_means_##SUFFIX(const S* features, int channels, const int32_t* label, const uint8_t* usable,              \
                                         int64_t pixels, int64_t width, int32_t highest, int64_t smallest, int32_t* row,            \
                                         int32_t* masks, S* mean, S* pull, S* centre, S* size, S* slope, S* inverse_distance,       \
                                         int threads) {                                                                             \
    return s3d::guarded([&] {                                                                                                       \
      const s3d::Labels labels{label, usable, pixels, width, highest, row};                                                         \
      *masks = s3d::number_masks(labels, smallest, row);                                                                            \
      s3d::with_channels(channels, [&](auto count) {                                                                                \
        s3d::mask_means<S>(features, count, labels, *masks, {mean, pull, centre, size, slope, inverse_distance}, threads);          \
      });                                                                                                                           \
    });                                                                                                                             \
  }                                                                                                                                 \
  extern "C" int s3d_mask_means_backward_##SUFFIX(const S* features, int channels, const int32_t* label, const uint8_t* usable,     \
                                                  int64_t pixels, int64_t width, int32_t highest, const int32_t* row,               \
                                                  int32_t masks, S* mean, S* size, S* slope, S* inverse_distance, const S* d_mean,  \
                                                  const S* d_pull, S* d_features, int threads) {                                    \
    return s3d::guarded([&] {                                                                                                       \
      s3d::with_channels(channels, [&](auto count) {                                                                                \
        s3d::mask_means_backward<S>(features, count, {label, usable, pixels, width, highest, row}, masks,                           \
                                    {mean, nullptr, nullptr, size, slope, inverse_distance}, d_mean, d_pull, d_features, threads);  \
      });                                                                                                                           \
    });                                                                                                                             \
  }

S3D_DEFINE_LOSSES(float, f32)
S3D_DEFINE_LOSSES(double, f64)
