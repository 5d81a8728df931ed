// The gradient of the compositing, front to back like the forward pass: with C = sum of all w_j c_j known, what lies behind pair i is
// C minus the running sum, one scalar per pixel once it is multiplied with the gradient of C. Gaussian by Gaussian, so that its sums
// stay in registers; one row of gradients per intersection, added up afterwards in a fixed order.
#include "channels.h"

namespace s3d {
namespace {

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
  Vec<S> sum[K + 4];
  for (int k = 0; k < K + 4; ++k) sum[k] = Vec<S>{};
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
    const Vec<S> dx = dx0 + columns, m0x = m0 * dx;
    const Vec<S> by_lane[8] = {m0, m0x, m1, m0x * dx, m1 * dx, m2, Vec<S>{}, Vec<S>{}};
    S total[8];
    sum_lanes_of_four<S>(by_lane, total);
    sum_lanes_of_four<S>(by_lane + 4, total + 4);
    m.g += total[0], m.gx += total[1], m.gy += total[2], m.gxx += total[3], m.gxy += total[4], m.gyy += total[5];
  }
  for (int k = 0; k < K; k += 4) sum_lanes_of_four<S>(sum + k, sums + k);
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
  for (int k = 0; k < K; k += 4) sum_lanes_of_four<S>(sum + k, out + k);
}

template <class S>
Moments<S> backward_splat(const LocalSplat<S>& g, S dx0, const S* values, int channels, Vec<S> lanes, S* transmittance,
                          BackwardScratch<S>& scratch) {
  const int stride = padded(channels);
  S* sums = scratch.sums.data();
  switch (channels == 3 ? 3 : stride) {
    case 3: return backward_rows<S, 3>(g, dx0, values, stride, lanes, transmittance, scratch, sums);
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
  LocalSplat<S> batch[kAliveEvery];
  while (e < tile.end && running.alive()) {
    localise_batch(bins, tile, e, std::min(e + kAliveEvery, tile.end), stride, batch);
    for (int i = 0; i < kAliveEvery && e < tile.end; ++i, ++e) {
      const uint32_t p = bins.entries[e].splat;
      const Splat<S>& s = bins.splats[p];
      const S dx0 = S(tile.x0) + S(0.5) - s.x;
      const S* shown = bins.values.data() + int64_t(p) * stride;
      const Moments<S> m = backward_splat(batch[i], dx0, shown, channels, lanes, running.value, scratch);
      S* row = bins.gradients.data() + int64_t(bins.entries[e].slot) * width;
      write_geometry(s, m, row);
      copy_few(scratch.sums.data(), channels, row + kGeometry);
    }
  }
  for (; e < tile.end; ++e) {
    S* row = bins.gradients.data() + int64_t(bins.entries[e].slot) * width;
    std::fill(row, row + width, S(0));
  }
}

// Zeros for one part of the Gaussians: those that are not listed have no other gradient.
template <class S> void clear_gradients(int64_t n, const Values<S>& values, const Gradients<S>& g, int part, int parts) {
  const int64_t begin = n * part / parts, end = n * (part + 1) / parts;
  const auto clear = [&](S* out, int columns) { std::fill(out + begin * columns, out + end * columns, S(0)); };
  clear(g.means2d, 2);
  clear(g.conics, 3);
  clear(g.opacities, 1);
  if (values.colour_count) clear(g.colours, values.colour_count);
  if (values.depth_count) clear(g.depths, 1);
  if (values.feature_count) clear(g.features_in, values.feature_count);
}

// Adds up the rows of one part of the Gaussians, in a fixed order, and writes them where they belong. Vectors are read whole, so what
// stands behind a row is read too, and left alone.
template <class S>
void reduce_gradients(const Bins<S>& bins, const Values<S>& values, const Gradients<S>& g, S* sums, int part, int parts) {
  const int channels = values.channels(), width = kGeometry + channels;
  const int64_t last = bins.listed * (part + 1) / parts;
  for (int64_t p = bins.listed * part / parts; p < last; ++p) {
    const S* begin = bins.gradients.data() + bins.slot_begin[p] * width;
    const S* end = bins.gradients.data() + bins.slot_begin[p + 1] * width;
    for (int k = 0; k < width; k += kLanes<S>) {
      Vec<S> sum = begin < end ? load(begin + k) : Vec<S>{};
      for (const S* row = begin + width; row < end; row += width) sum += load(row + k);
      store<S>(sums + k, sum);
    }
    const int64_t i = bins.splats[p].gaussian;
    copy_few(sums, 2, g.means2d + 2 * i);
    copy_few(sums + 2, 3, g.conics + 3 * i);
    g.opacities[i] = sums[5];
    const S* channel = sums + kGeometry;
    copy_few(channel, values.colour_count, g.colours + i * values.colour_count);
    channel += values.colour_count;
    if (values.depth_count) g.depths[i] = *channel++;
    copy_few(channel, values.feature_count, g.features_in + i * values.feature_count);
  }
}

template <class S>
int backward(Bins<S>& bins, const Values<S>& values, const Outputs<S>& out, const Gradients<S>& g, bool detached, int threads) {
  const size_t width = kGeometry + values.channels(), whole = (width + 15) / 16 * 16;  // whole vectors, and cache lines
  Buffer<S> sums;                                                                      // [threads, whole]
  try {
    bins.gradients.reserve(size_t(bins.pairs) * width + kLanes<S>);
    make_room_for_values(bins, values);
    sums.reserve(threads * whole);
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
  return over_tiles<BackwardScratch<S>>(
      bins.tiles(), threads,
      [&](int t, BackwardScratch<S>& scratch) { backward_tile(bins, Tile<S>(bins, t), values, out, g, detached, scratch); },
      [&](int part, int parts) {
        if (bins.listed < bins.gaussians) clear_gradients(bins.gaussians, values, g, part, parts);
        pack(bins, values, detached, part, parts);
      },
      [&](int part, int parts) { reduce_gradients(bins, values, g, sums.data() + part * whole, part, parts); });
}

template <class S>
int backward_checked(void* handle, const Values<S>& values, const Outputs<S>& out, const Gradients<S>& g, bool detached, int threads) {
  auto* base = static_cast<BinsBase*>(handle);
  if (base->scalar_bytes != sizeof(S)) return kBadArgument;
  return backward(*static_cast<Bins<S>*>(base), values, out, g, detached, threads);
}

}  // namespace
}  // namespace s3d

// A count of 0 leaves a group of channels out: its output has no gradient and its pointers are not read.
#define S3D_DEFINE_BACKWARD(S, SUFFIX)                                                                                             \
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

S3D_DEFINE_BACKWARD(float, f32)
S3D_DEFINE_BACKWARD(double, f64)
