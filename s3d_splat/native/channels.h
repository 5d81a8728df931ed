// What is composited: groups of channels in the order colour, depth, features, so that detached features are a suffix.
#pragma once

#include "tile.h"

namespace s3d {

constexpr int kAliveEvery = 16;  // Gaussians between two looks at whether any pixel is still open
constexpr int kAhead = 12;       // entries between the one at hand and the one that is called from memory

template <class S> struct Values {
  const S *colours, *depths, *features;
  int colour_count, depth_count, feature_count;

  int channels() const { return colour_count + depth_count + feature_count; }
  void gather(int64_t gaussian, S* out) const {
    for (int k = 0; k < colour_count; ++k) *out++ = colours[gaussian * colour_count + k];
    if (depth_count) *out++ = depths[gaussian];
    for (int k = 0; k < feature_count; ++k) *out++ = features[gaussian * feature_count + k];
  }
};

// Rows of values are padded with zeros to a multiple of four.
inline int padded(int channels) { return (channels + 3) / 4 * 4; }

// Packs the channels of the visible Gaussians front to back, so that a tile walks through memory in one direction.
// Without the features if they are `detached`: zeros keep them out of the gradient of the geometry.
template <class S> void pack(Bins<S>& bins, const Values<S>& values, bool detached, int threads) {
  const int stride = padded(values.channels()), kept = values.channels() - (detached ? values.feature_count : 0);
  S* packed = bins.values.reserve(size_t(bins.visible) * stride + 1);
  parallel_ranges(bins.visible, threads, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      values.gather(bins.splats[p].gaussian, packed + p * stride);
      std::fill(packed + p * stride + kept, packed + (p + 1) * stride, S(0));
    }
  });
}

// Calls the Gaussian of a later entry from memory: the order is random, the caches do not guess it.
template <class S> S3D_INLINE void call_ahead(const Bins<S>& bins, int64_t entry, int64_t end, int stride) {
  const int64_t p = bins.entries[std::min(entry + kAhead, end - 1)].splat;
  prefetch(&bins.splats[p]);
  prefetch(bins.values.data() + p * stride);
  if (stride > 8) prefetch(bins.values.data() + p * stride + 16);
}

template <class S> struct Outputs {
  S *colour, *depth, *features, *alpha;  // [h,w,colours], [h,w], [h,w,features], [h,w]
};

}  // namespace s3d
