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
    copy_few(colours + gaussian * colour_count, colour_count, out);
    out += colour_count;
    if (depth_count) *out++ = depths[gaussian];
    copy_few(features + gaussian * feature_count, feature_count, out);
  }
};

// Rows of values are padded with zeros to a multiple of four.
inline int padded(int channels) { return (channels + 3) / 4 * 4; }

template <class S> void make_room_for_values(Bins<S>& bins, const Values<S>& values) {
  bins.values.reserve(size_t(bins.listed) * padded(values.channels()) + 1);
}

// Packs one part of the Gaussians' channels front to back, so that a tile walks through memory in one direction.
// Without the features if they are `detached`: zeros keep them out of the gradient of the geometry.
template <class S> void pack(Bins<S>& bins, const Values<S>& values, bool detached, int part, int parts) {
  const int stride = padded(values.channels()), kept = values.channels() - (detached ? values.feature_count : 0);
  const int64_t end = bins.listed * (part + 1) / parts;
  for (int64_t p = bins.listed * part / parts; p < end; ++p) {
    S* row = bins.values.data() + p * stride;
    values.gather(bins.splats[p].gaussian, row);
    for (int k = kept; k < stride; ++k) row[k] = S(0);
  }
}

// Calls the Gaussian of a later entry from memory: the order is random, the caches do not guess it.
template <class S> S3D_INLINE void call_ahead(const Bins<S>& bins, int64_t entry, int64_t end, int stride) {
  const int64_t p = bins.entries[std::min(entry + kAhead, end - 1)].splat;
  prefetch(&bins.splats[p]);
  prefetch(bins.values.data() + p * stride);
  if (stride > 8) prefetch(bins.values.data() + p * stride + 16);
}

// The Gaussians of entries begin..end-1, seen from a tile: ahead of the loop whose length they decide, since a processor that guesses
// that wrong would have to wait for square roots before it can go on.
template <class S>
S3D_INLINE void localise_batch(const Bins<S>& bins, const Tile<S>& tile, int64_t begin, int64_t end, int stride, LocalSplat<S>* out) {
  for (int64_t e = begin; e < end; ++e) {
    call_ahead(bins, e, tile.end, stride);
    *out++ = localise(bins.splats[bins.entries[e].splat], tile);
  }
}

template <class S> struct Outputs {
  S *colour, *depth, *features, *alpha;  // [h,w,colours], [h,w], [h,w,features], [h,w]
};

}  // namespace s3d
