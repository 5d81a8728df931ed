// Front-to-back compositing of any number of channels, forward and backward (Kerbl et al., "3D Gaussian Splatting", 2023, in the
// conventions of gsplat). Channels stand in the order colour, depth, features, so that detached features are a suffix.
#include "tile.h"

#include <memory>

namespace s3d {
namespace {

constexpr int kBatch = 128;      // Gaussians prepared at a time
constexpr int kFusedChannels = 16;  // channels whose sums stay in registers
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

int padded(int channels) { return (channels + 3) / 4 * 4; }

// Packs the channels of the visible Gaussians front to back, so that a tile walks through memory in one direction.
// Without the features if they are `detached`: zeros keep them out of the gradient of the geometry.
template <class S> void pack(Bins<S>& bins, const Values<S>& values, bool detached, int threads) {
  const int stride = padded(values.channels()), kept = values.channels() - (detached ? values.feature_count : 0);
  S* packed = bins.values.reserve(size_t(bins.visible) * stride + 1);
  parallel_ranges(bins.visible, threads, 4096, [&](int64_t begin, int64_t end) {
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

// One Gaussian in one row of pixels.
template <class S> struct RowEntry {
  S u, su, exponent;
  uint32_t splat;
};

// Per tile and thread: where the sums live between batches.
template <class S> struct ForwardScratch {
  Buffer<S> sums;     // [padded channels, kTilePixels]
  Buffer<S> weights;  // [kBatch, W] of one segment, for many channels
};

template <class S> struct RowList {
  RowEntry<S> entries[kTile][kBatch];
  int counts[kTile];

  void clear() { std::fill(counts, counts + kTile, 0); }
  void add(const LocalSplat<S>& g, uint32_t splat) {
    for (int row = g.first_row; row <= g.last_row; ++row) {
      const S dy = g.dy0 + S(row);
      entries[row][counts[row]++] = RowEntry<S>{g.u0 + g.sk * S(row), g.su, g.log2_opacity - g.sv * dy * dy, splat};
    }
  }
};

// Composites `count` entries over one segment with K channels at `values + entry * stride`. Returns the transmittance left.
template <class S, int K>
S3D_INLINE void composite(const RowEntry<S>* entries, int count, Vec<S> lanes, const S* values, int stride, S* running, S* final_t,
                          S* sums, S* weights) {
  Vec<S> t = load(running), last = load(final_t), sum[K + 1];
  for (int k = 0; k < K; ++k) sum[k] = load(sums + k * kTilePixels);
  const Vec<S> floor = splat<S>(S(kTransmittanceMin));
  for (int i = 0; i < count; ++i) {
    if (i % kAliveEvery == 0 && !any<S>(t > floor)) {
      if (K == 0) std::memset(weights + i * kLanes<S>, 0, sizeof(Vec<S>) * (count - i));
      break;
    }
    const RowEntry<S>& e = entries[i];
    Mask<S> free;
    const Vec<S> alpha = segment_alpha<S>(e.u + e.su * lanes, e.exponent, &free);
    const Vec<S> after = t * (S(1) - alpha);
    const Mask<S> open = after > floor;
    const Vec<S> w = open ? alpha * t : Vec<S>{};
    last = open ? after : last;
    t = after;
    if (K == 0) store<S>(weights + i * kLanes<S>, w);
    const S* v = values + int64_t(e.splat) * stride;
    for (int k = 0; k < K; ++k) sum[k] += w * v[k];
  }
  store<S>(running, t);
  store<S>(final_t, last);
  for (int k = 0; k < K; ++k) store<S>(sums + k * kTilePixels, sum[k]);
}

// sums[k] += weights x values for K channels whose weights are known.
template <class S, int K>
S3D_INLINE void accumulate(const RowEntry<S>* entries, int count, const S* weights, const S* values, int stride, S* sums) {
  Vec<S> sum[K];
  for (int k = 0; k < K; ++k) sum[k] = load(sums + k * kTilePixels);
  for (int i = 0; i < count; ++i) {
    const Vec<S> w = load(weights + i * kLanes<S>);
    const S* v = values + int64_t(entries[i].splat) * stride;
    for (int k = 0; k < K; ++k) sum[k] += w * v[k];
  }
  for (int k = 0; k < K; ++k) store<S>(sums + k * kTilePixels, sum[k]);
}

template <class S> struct Outputs {
  S *colour, *depth, *features, *alpha;  // [h,w,colours], [h,w], [h,w,features], [h,w]
};

template <class S>
void composite_segment(const RowEntry<S>* entries, int count, Vec<S> lanes, const S* values, int channels, ForwardScratch<S>& scratch,
                       S* running, S* final_t, S* sums) {
  switch (channels <= kFusedChannels ? channels : 0) {
    case 4: return composite<S, 4>(entries, count, lanes, values, channels, running, final_t, sums, nullptr);
    case 8: return composite<S, 8>(entries, count, lanes, values, channels, running, final_t, sums, nullptr);
    case 12: return composite<S, 12>(entries, count, lanes, values, channels, running, final_t, sums, nullptr);
    case 16: return composite<S, 16>(entries, count, lanes, values, channels, running, final_t, sums, nullptr);
    default: break;
  }
  S* weights = scratch.weights.reserve(size_t(kBatch) * kLanes<S>);
  composite<S, 0>(entries, count, lanes, values, channels, running, final_t, sums, weights);
  int k = 0;
  for (; k + 16 <= channels; k += 16) accumulate<S, 16>(entries, count, weights, values + k, channels, sums + k * kTilePixels);
  for (; k < channels; k += 4) accumulate<S, 4>(entries, count, weights, values + k, channels, sums + k * kTilePixels);
}

template <class S>
void write_tile(const Bins<S>& bins, const Tile<S>& tile, const Values<S>& values, const S* background, const S* final_t, const S* sums,
                const Outputs<S>& out) {
  for (int row = 0; row < tile.rows; ++row)
    for (int column = 0; column < tile.columns; ++column) {
      const int at = row * kTile + column;
      const int64_t pixel = int64_t(tile.y0 + row) * bins.width + tile.x0 + column;
      const S t = final_t[at], alpha = S(1) - t;
      const S* sum = sums + at;
      out.alpha[pixel] = alpha;
      for (int k = 0; k < values.colour_count; ++k, sum += kTilePixels)
        out.colour[pixel * values.colour_count + k] = *sum + (background ? t * background[k] : S(0));
      if (values.depth_count) out.depth[pixel] = alpha > S(0) ? *sum / alpha : S(0), sum += kTilePixels;
      for (int k = 0; k < values.feature_count; ++k, sum += kTilePixels) out.features[pixel * values.feature_count + k] = *sum;
    }
}

template <class S>
void forward_tile(const Bins<S>& bins, const Tile<S>& tile, const Values<S>& values, const S* background, ForwardScratch<S>& scratch,
                  RowList<S>& list, const Outputs<S>& out) {
  const int channels = values.channels(), stride = padded(channels);
  S* sums = scratch.sums.reserve(size_t(stride) * kTilePixels);
  std::memset(sums, 0, sizeof(S) * stride * kTilePixels);
  Transmittance<S> running(tile);
  alignas(64) S final_t[kTilePixels];
  std::fill(final_t, final_t + kTilePixels, S(1));
  const Vec<S> lanes = lane_indices<S>();
  for (int64_t begin = tile.begin; begin < tile.end && running.alive(); begin += kBatch) {
    const int count = int(std::min<int64_t>(kBatch, tile.end - begin));
    list.clear();
    for (int i = 0; i < count; ++i) {
      const uint32_t p = bins.entries[begin + i].splat;
      call_ahead(bins, begin + i, tile.end, stride);
      list.add(localise(bins.splats[p], tile), p);
    }
    for (int segment = 0; segment < kSegments<S>; ++segment) {
      const int row = segment / kRowSegments<S>, at = segment * kLanes<S>;
      if (row >= tile.rows || list.counts[row] == 0) continue;
      composite_segment<S>(list.entries[row], list.counts[row], lanes + S(at % kTile), bins.values.data(), stride, scratch,
                           running.value + at, final_t + at, sums + at);
    }
  }
  write_tile(bins, tile, values, background, final_t, sums, out);
}

template <class S> struct TileScratch {
  ForwardScratch<S> forward;
  std::unique_ptr<RowList<S>> list{new RowList<S>};
};

template <class S>
int forward(Bins<S>& bins, const Values<S>& values, const S* background, const Outputs<S>& out, int threads) {
  pack(bins, values, false, threads);
  return over_tiles<TileScratch<S>>(bins.tiles(), threads, [&](int t, TileScratch<S>& scratch) {
    forward_tile(bins, Tile<S>(bins, t), values, background, scratch.forward, *scratch.list, out);
  });
}

// ---------------------------------------------------------------------------------------------------------------- backward

template <class S> struct Gradients {
  const S *colour, *depth, *features, *alpha;                       // of the outputs; null = zero
  S *means2d, *conics, *opacities, *colours, *depths, *features_in;  // of the inputs
};

constexpr int kGeometry = 6;  // mean x, mean y, conic a b c, opacity: the first entries of a gradient row

// Per-pixel state of the backward pass. Channels without a gradient are left out: `Values` of this pass holds the others only.
template <class S> struct BackwardScratch {
  Buffer<S> pixel_gradients;  // [kSegments, channels, W]
  Buffer<S> rest;             // [kTilePixels]: what is behind the pair at hand, as seen through it
  Buffer<S> sums;             // [channels] of one Gaussian
  Buffer<S> weights;          // [kTilePixels], for many channels
};

// Loads a tile's output gradients; rest = sum_k dC_k C_k - dA T_final over the channels that move geometry (all pairs are behind).
template <class S>
void load_pixel_gradients(const Bins<S>& bins, const Tile<S>& tile, const Values<S>& values, const Outputs<S>& out, const Gradients<S>& g,
                          bool detached, int stride, BackwardScratch<S>& scratch) {
  S* d = scratch.pixel_gradients.data();
  std::memset(d, 0, sizeof(S) * stride * kTilePixels);
  std::memset(scratch.rest.data(), 0, sizeof(S) * kTilePixels);
  for (int row = 0; row < tile.rows; ++row)
    for (int column = 0; column < tile.columns; ++column) {
      const int at = row * kTile + column, segment = at / kLanes<S>;
      const int64_t pixel = int64_t(tile.y0 + row) * bins.width + tile.x0 + column;
      S* p = d + int64_t(segment) * stride * kLanes<S> + at % kLanes<S>;
      const S alpha = out.alpha[pixel], t = S(1) - alpha;
      S d_alpha = g.alpha ? g.alpha[pixel] : S(0), rest = 0;
      for (int k = 0; k < values.colour_count; ++k, p += kLanes<S>) {
        *p = g.colour[pixel * values.colour_count + k];
        rest += *p * out.colour[pixel * values.colour_count + k];
      }
      if (values.depth_count) {
        // depth = D / alpha: its gradient goes to D and to alpha, and sum w dD = dD D.
        *p = alpha > S(0) ? g.depth[pixel] / alpha : S(0);
        d_alpha -= *p * out.depth[pixel];
        rest += *p * out.depth[pixel] * alpha;
        p += kLanes<S>;
      }
      for (int k = 0; k < values.feature_count; ++k, p += kLanes<S>) {
        *p = g.features[pixel * values.feature_count + k];
        if (!detached) rest += *p * out.features[pixel * values.feature_count + k];
      }
      scratch.rest[at] = rest - d_alpha * t;
    }
}

// Sums over pixels of g, g dx, g dy, g dx^2, g dx dy, g dy^2 with g = alpha dL/dalpha.
template <class S> struct Moments {
  S g = 0, gx = 0, gy = 0, gxx = 0, gxy = 0, gyy = 0;
};

// One Gaussian over its rows, W columns at a time: moments, and sums of w dC_k for the first K channels (K = 0: weights are kept).
template <class S, int K>
S3D_INLINE Moments<S> backward_rows(const LocalSplat<S>& g, S dx0, const S* values, int stride, Vec<S> lanes, S* transmittance,
                                    BackwardScratch<S>& scratch, S* sums) {
  Moments<S> m;
  Vec<S> sum[K + 1];
  for (int k = 0; k < K; ++k) sum[k] = Vec<S>{};
  const Vec<S> floor = splat<S>(S(kTransmittanceMin));
  for (int column = 0; column < kTile; column += kLanes<S>) {
    const Vec<S> columns = lanes + S(column), base_u = g.u0 + g.su * columns;
    Vec<S> m0{}, m1{}, m2{};
    for (int row = g.first_row; row <= g.last_row; ++row) {
      const int at = row * kTile + column;
      const S dy = g.dy0 + S(row);
      Mask<S> free;
      const Vec<S> alpha = segment_alpha<S>(base_u + g.sk * S(row), g.log2_opacity - g.sv * dy * dy, &free);
      const Vec<S> before = load(transmittance + at), through = S(1) - alpha, after = before * through;
      const Mask<S> open = after > floor;
      const Vec<S> w = open ? alpha * before : Vec<S>{};
      const S* d = scratch.pixel_gradients.data() + int64_t(at) * stride;
      Vec<S> s{};
      for (int k = 0; k < K; ++k) {
        const Vec<S> dk = load(d + k * kLanes<S>);
        s += dk * values[k];
        sum[k] += w * dk;
      }
      if (K == 0) {
        for (int k = 0; k < stride; ++k) s += load(d + k * kLanes<S>) * values[k];
        store<S>(scratch.weights.data() + at, w);
      }
      const Vec<S> ws = w * s, rest = load(scratch.rest.data() + at) - ws;
      const Vec<S> gradient = ws - alpha * rest * reciprocal<S>(through);
      const Vec<S> moved = (open & free) ? gradient : Vec<S>{};
      store<S>(transmittance + at, after);
      store<S>(scratch.rest.data() + at, rest);
      m0 += moved;
      m1 += moved * dy;
      m2 += moved * (dy * dy);
    }
    const Vec<S> dx = dx0 + columns;
    m.g += sum_lanes<S>(m0), m.gx += sum_lanes<S>(m0 * dx), m.gxx += sum_lanes<S>(m0 * dx * dx);
    m.gy += sum_lanes<S>(m1), m.gxy += sum_lanes<S>(m1 * dx), m.gyy += sum_lanes<S>(m2);
  }
  for (int k = 0; k < K; ++k) sums[k] = sum_lanes<S>(sum[k]);
  return m;
}

template <class S, int K>
S3D_INLINE void channel_sums(const LocalSplat<S>& g, int first_channel, int stride, const BackwardScratch<S>& scratch, S* out) {
  Vec<S> sum[K];
  for (int k = 0; k < K; ++k) sum[k] = Vec<S>{};
  for (int at = g.first_row * kTile; at < (g.last_row + 1) * kTile; at += kLanes<S>) {
    const S* d = scratch.pixel_gradients.data() + int64_t(at) * stride + first_channel * kLanes<S>;
    const Vec<S> w = load(scratch.weights.data() + at);
    for (int k = 0; k < K; ++k) sum[k] += w * load(d + k * kLanes<S>);
  }
  for (int k = 0; k < K; ++k) out[k] = sum_lanes<S>(sum[k]);
}

template <class S>
Moments<S> backward_splat(const LocalSplat<S>& g, S dx0, const S* values, int stride, Vec<S> lanes, S* transmittance, BackwardScratch<S>& scratch) {
  S* sums = scratch.sums.data();
  switch (stride) {
    case 4: return backward_rows<S, 4>(g, dx0, values, stride, lanes, transmittance, scratch, sums);
    case 8: return backward_rows<S, 8>(g, dx0, values, stride, lanes, transmittance, scratch, sums);
    case 12: return backward_rows<S, 12>(g, dx0, values, stride, lanes, transmittance, scratch, sums);
    default: break;
  }
  const Moments<S> m = backward_rows<S, 0>(g, dx0, values, stride, lanes, transmittance, scratch, sums);
  int k = 0;
  for (; k + 16 <= stride; k += 16) channel_sums<S, 16>(g, k, stride, scratch, sums + k);
  for (; k < stride; k += 4) channel_sums<S, 4>(g, k, stride, scratch, sums + k);
  return m;
}

// From moments of g to the gradients of centre, conic and opacity; q = (a dx^2 + c dy^2) / 2 + b dx dy.
template <class S> void write_geometry(const Splat<S>& s, const Moments<S>& m, S* out) {
  const S u = s.su * m.gx + s.sk * m.gy;  // conic times (gx, gy), in the Cholesky form
  out[0] = S(kConic) * s.su * u;
  out[1] = S(kConic) * (s.sk * u + s.sv * m.gy);
  out[2] = S(-0.5) * m.gxx;
  out[3] = -m.gxy;
  out[4] = S(-0.5) * m.gyy;
  out[5] = m.g * s.inverse_opacity;
}

template <class S>
void backward_tile(Bins<S>& bins, const Tile<S>& tile, const Values<S>& values, const Outputs<S>& out, const Gradients<S>& g,
                   bool detached, BackwardScratch<S>& scratch) {
  const int channels = values.channels(), stride = padded(channels), width = kGeometry + channels;
  scratch.pixel_gradients.reserve(size_t(stride) * kTilePixels + 1);
  scratch.rest.reserve(kTilePixels);
  scratch.weights.reserve(kTilePixels);
  scratch.sums.reserve(stride + 1);
  load_pixel_gradients(bins, tile, values, out, g, detached, stride, scratch);
  Transmittance<S> running(tile);
  const Vec<S> lanes = lane_indices<S>();
  int64_t e = tile.begin;
  for (; e < tile.end; ++e) {
    if ((e - tile.begin) % kAliveEvery == 0 && !running.alive()) break;
    call_ahead(bins, e, tile.end, stride);
    const uint32_t p = bins.entries[e].splat;
    const Splat<S>& s = bins.splats[p];
    const LocalSplat<S> local = localise(s, tile);
    const Moments<S> m = backward_splat(local, S(tile.x0) + S(0.5) - s.x, bins.values.data() + int64_t(p) * stride, stride, lanes, running.value, scratch);
    S* row = bins.gradients.data() + int64_t(bins.entries[e].slot) * width;
    write_geometry(s, m, row);
    std::copy(scratch.sums.data(), scratch.sums.data() + channels, row + kGeometry);
  }
  for (; e < tile.end; ++e) {
    S* row = bins.gradients.data() + int64_t(bins.entries[e].slot) * width;
    std::fill(row, row + width, S(0));
  }
}

// Adds up the rows of each Gaussian, in a fixed order, and writes them where they belong; the outputs start as zeros.
template <class S> void reduce_gradients(Bins<S>& bins, const Values<S>& values, const Gradients<S>& g, int threads) {
  const int channels = values.channels(), width = kGeometry + channels;
  parallel_ranges(bins.visible, threads, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      S* sum = bins.gradients.data() + bins.slot_begin[p] * width;
      for (int64_t slot = bins.slot_begin[p] + 1; slot < bins.slot_begin[p + 1]; ++slot) {
        const S* row = bins.gradients.data() + slot * width;
        for (int k = 0; k < width; ++k) sum[k] += row[k];
      }
      const int64_t i = bins.splats[p].gaussian;
      std::copy(sum, sum + 2, g.means2d + 2 * i);
      std::copy(sum + 2, sum + 5, g.conics + 3 * i);
      g.opacities[i] = sum[5];
      const S* channel = sum + kGeometry;
      std::copy(channel, channel + values.colour_count, g.colours + i * values.colour_count);
      channel += values.colour_count;
      if (values.depth_count) g.depths[i] = *channel++;
      std::copy(channel, channel + values.feature_count, g.features_in + i * values.feature_count);
    }
  });
}

template <class S> struct BackwardTileScratch {
  BackwardScratch<S> backward;
};

template <class S>
int backward(Bins<S>& bins, const Values<S>& values, const Outputs<S>& out, const Gradients<S>& g, bool detached, int threads) {
  try {
    bins.gradients.reserve(size_t(bins.pairs) * (kGeometry + values.channels()) + 1);
    pack(bins, values, detached, threads);
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
  const int status = over_tiles<BackwardTileScratch<S>>(bins.tiles(), threads, [&](int t, BackwardTileScratch<S>& scratch) {
    backward_tile(bins, Tile<S>(bins, t), values, out, g, detached, scratch.backward);
  });
  if (status == kOk) reduce_gradients(bins, values, g, threads);
  return status;
}

template <class S>
int forward_checked(void* handle, const Values<S>& values, const S* background, const Outputs<S>& out, int threads) {
  auto* base = static_cast<BinsBase*>(handle);
  if (base->scalar_bytes != sizeof(S)) return kBadArgument;
  try {
    return forward(*static_cast<Bins<S>*>(base), values, background, out, threads);
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
}

template <class S>
int backward_checked(void* handle, const Values<S>& values, const Outputs<S>& out, const Gradients<S>& g, bool detached, int threads) {
  auto* base = static_cast<BinsBase*>(handle);
  if (base->scalar_bytes != sizeof(S)) return kBadArgument;
  return backward(*static_cast<Bins<S>*>(base), values, out, g, detached, threads);
}

}  // namespace
}  // namespace s3d

// Counts of 0 leave a group of channels out; its pointers are then not read. `background` may be null (black).
#define S3D_DEFINE_RASTERIZE(S, SUFFIX)                                                                                            \
  extern "C" int s3d_forward_##SUFFIX(void* bins, const S* colours, int colour_count, const S* depths, int depth_count,       \
                                      const S* features, int feature_count, const S* background, S* colour, S* depth,              \
                                      S* feature_map, S* alpha, int threads) {                                                     \
    return s3d::forward_checked<S>(bins, {colours, depths, features, colour_count, depth_count, feature_count}, background,        \
                                   {colour, depth, feature_map, alpha}, threads);                                                  \
  }                                                                                                                                \
  extern "C" int s3d_backward_##SUFFIX(void* bins, const S* colours, int colour_count, const S* depths, int depth_count,            \
                                       const S* features, int feature_count, S* colour, S* depth, S* feature_map, S* alpha,        \
                                       const S* d_colour, const S* d_depth, const S* d_feature_map, const S* d_alpha,              \
                                       S* d_means2d, S* d_conics, S* d_opacities, S* d_colours, S* d_depths, S* d_features,        \
                                       int detached, int threads) {                                                                \
    return s3d::backward_checked<S>(bins, {colours, depths, features, colour_count, depth_count, feature_count},                   \
                                    {colour, depth, feature_map, alpha},                                                           \
                                    {d_colour, d_depth, d_feature_map, d_alpha, d_means2d, d_conics, d_opacities, d_colours,       \
                                     d_depths, d_features},                                                                        \
                                    detached != 0, threads);                                                                       \
  }

S3D_DEFINE_RASTERIZE(float, f32)
S3D_DEFINE_RASTERIZE(double, f64)
