// Front-to-back compositing of any number of channels (Kerbl et al., "3D Gaussian Splatting", 2023, in the conventions of gsplat).
// Row by row of pixels: the Gaussians that touch a row are listed, then its sums stay in registers.
#include "channels.h"

#include <memory>

namespace s3d {
namespace {

constexpr int kBatch = 128;         // Gaussians listed at a time

// One Gaussian in one row of pixels.
template <class S> struct RowEntry {
  S u, su, exponent;
  uint32_t splat;
};

template <class S> struct RowList {
  LocalSplat<S> batch[kBatch];
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

// Per tile and thread: where the sums live between batches.
template <class S> struct ForwardScratch {
  std::unique_ptr<RowList<S>> list{new RowList<S>};
  Buffer<S> sums;     // [padded channels, kTilePixels]
  Buffer<S> weights;  // [kBatch, W] of one segment, for many channels
};

// Composites `count` entries over one segment with K channels at `values + entry * stride`.
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

template <class S>
void composite_segment(const RowEntry<S>* entries, int count, Vec<S> lanes, const S* values, int channels, ForwardScratch<S>& scratch,
                       S* running, S* final_t, S* sums) {
  const int stride = padded(channels);
  switch (channels == 3 ? 3 : stride) {
    case 3: return composite<S, 3>(entries, count, lanes, values, stride, running, final_t, sums, nullptr);
    case 4: return composite<S, 4>(entries, count, lanes, values, stride, running, final_t, sums, nullptr);
    case 8: return composite<S, 8>(entries, count, lanes, values, stride, running, final_t, sums, nullptr);
    case 12: return composite<S, 12>(entries, count, lanes, values, stride, running, final_t, sums, nullptr);
    case 16: return composite<S, 16>(entries, count, lanes, values, stride, running, final_t, sums, nullptr);
    default: break;
  }
  S* weights = scratch.weights.reserve(size_t(kBatch) * kLanes<S>);
  composite<S, 0>(entries, count, lanes, values, stride, running, final_t, sums, weights);
  int k = 0;
  for (; k + 16 <= stride; k += 16) accumulate<S, 16>(entries, count, weights, values + k, stride, sums + k * kTilePixels);
  for (; k < stride; k += 4) accumulate<S, 4>(entries, count, weights, values + k, stride, sums + k * kTilePixels);
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
                  const Outputs<S>& out) {
  const int stride = padded(values.channels());
  RowList<S>& list = *scratch.list;
  S* sums = scratch.sums.reserve(size_t(stride) * kTilePixels);
  std::memset(sums, 0, sizeof(S) * stride * kTilePixels);
  Transmittance<S> running(tile);
  alignas(64) S final_t[kTilePixels];
  std::fill(final_t, final_t + kTilePixels, S(1));
  const Vec<S> lanes = lane_indices<S>();
  for (int64_t begin = tile.begin; begin < tile.end && running.alive(); begin += kBatch) {
    const int count = int(std::min<int64_t>(kBatch, tile.end - begin));
    list.clear();
    localise_batch(bins, tile, begin, begin + count, stride, list.batch);
    for (int i = 0; i < count; ++i) list.add(list.batch[i], bins.entries[begin + i].splat);
    for (int segment = 0; segment < kSegments<S>; ++segment) {
      const int row = segment / kRowSegments<S>, at = segment * kLanes<S>;
      if (row >= tile.rows || list.counts[row] == 0) continue;
      composite_segment<S>(list.entries[row], list.counts[row], lanes + S(at % kTile), bins.values.data(), values.channels(), scratch,
                           running.value + at, final_t + at, sums + at);
    }
  }
  write_tile(bins, tile, values, background, final_t, sums, out);
}

template <class S>
int forward(Bins<S>& bins, const Values<S>& values, const S* background, const Outputs<S>& out, int threads) {
  make_room_for_values(bins, values);
  return over_tiles<ForwardScratch<S>>(
      bins.tiles(), threads,
      [&](int t, ForwardScratch<S>& scratch) { forward_tile(bins, Tile<S>(bins, t), values, background, scratch, out); },
      [&](int part, int parts) { pack(bins, values, false, part, parts); });
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

}  // namespace
}  // namespace s3d

// Counts of 0 leave a group of channels out; its pointers are then not read. `background` may be null (black).
#define S3D_DEFINE_FORWARD(S, SUFFIX)                                                                                              \
  extern "C" int s3d_forward_##SUFFIX(void* bins, const S* colours, int colour_count, const S* depths, int depth_count,       \
                                      const S* features, int feature_count, const S* background, S* colour, S* depth,              \
                                      S* feature_map, S* alpha, int threads) {                                                     \
    return s3d::forward_checked<S>(bins, {colours, depths, features, colour_count, depth_count, feature_count}, background,        \
                                   {colour, depth, feature_map, alpha}, threads);                                                  \
  }

S3D_DEFINE_FORWARD(float, f32)
S3D_DEFINE_FORWARD(double, f64)
