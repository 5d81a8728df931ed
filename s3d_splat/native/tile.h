// What the loops over a tile share: its Gaussians in local coordinates, and the alpha of one segment of pixels.
#pragma once

#include "bins.h"

#include <algorithm>
#include <atomic>

namespace s3d {

// One Gaussian, seen from a tile: u(column, row) = u0 + su column + sk row, dy(row) = dy0 + row.
template <class S> struct LocalSplat {
  S u0, su, sk, sv, dy0, log2_opacity;
  int first_row, last_row;  // empty if first_row > last_row
};

template <class S> struct Tile {
  int x0, y0, columns, rows;  // the part inside the image
  int64_t begin, end;         // in Bins::entries

  Tile(const Bins<S>& bins, int index) {
    x0 = index % bins.tiles_x * kTile;
    y0 = index / bins.tiles_x * kTile;
    columns = std::min(kTile, bins.width - x0);
    rows = std::min(kTile, bins.height - y0);
    begin = bins.tile_begin[index];
    end = bins.tile_begin[index + 1];
  }
};

template <class S> S3D_INLINE LocalSplat<S> localise(const Splat<S>& s, const Tile<S>& tile) {
  LocalSplat<S> l;
  const S dx0 = S(tile.x0) + S(0.5) - s.x;
  l.dy0 = S(tile.y0) + S(0.5) - s.y;
  l.su = s.su, l.sk = s.sk, l.sv = s.sv, l.log2_opacity = s.log2_opacity;
  l.u0 = s.su * dx0 + s.sk * l.dy0;
  // Rows between the highest and the lowest point of the ellipse inside the tile's columns.
  const S margin = S(0.02) + S(1e-4) * s.half_height;
  const S low = dx0 - margin, high = dx0 + S(tile.columns - 1) + margin;
  const S xb = std::min(std::max(s.x_at_bottom, low), high), xt = std::min(std::max(-s.x_at_bottom, low), high);
  const S bottom = std::sqrt(std::max(S(0), s.bow - s.bow_x * xb * xb)) - s.tilt * xb;
  const S top = -std::sqrt(std::max(S(0), s.bow - s.bow_x * xt * xt)) - s.tilt * xt;
  const S first = std::min(std::max(top - margin - l.dy0, S(-1)), S(kTile)), last = bottom + margin - l.dy0;
  l.first_row = int(first + S(1));  // the next integer; a whole number may be skipped only inside the margin
  l.last_row = int(std::min(std::max(last, S(-0.5)), S(tile.rows) - S(0.5)) + S(1)) - 1;
  return l;
}

// alpha over a segment whose u and row term are given; 0 where it is under the threshold. `free`: not held at the maximum.
template <class S> S3D_INLINE Vec<S> segment_alpha(Vec<S> u, S row_exponent, Mask<S>* free) {
  const Vec<S> exponent = row_exponent - u * u;
  Vec<S> alpha = exp2_lanes(exponent);
  *free = alpha <= S(kAlphaMax);
  alpha = minimum<S>(alpha, splat<S>(S(kAlphaMax)));
  return exponent >= S(kLog2AlphaMin) ? alpha : Vec<S>{};
}

// Transmittance of a tile's pixels in front-to-back order. It goes on falling after a pixel has stopped, which spares a "done" flag:
// a pair counts iff the transmittance behind it is above the minimum.
template <class S> struct Transmittance {
  alignas(64) S value[kTilePixels];

  explicit Transmittance(const Tile<S>& tile) {
    for (int i = 0; i < kTilePixels; ++i) value[i] = i / kTile < tile.rows && i % kTile < tile.columns ? S(1) : S(0);
  }
  bool alive() const {
    Vec<S> highest{};
    for (int i = 0; i < kTilePixels; i += kLanes<S>) highest = maximum<S>(highest, load(value + i));
    return any<S>(highest > S(kTransmittanceMin));
  }
};

// visit(entry, segment offset, weights) for every Gaussian of the tile and every segment of pixels it may touch, front to back;
// done(entry) after its last segment. For the passes that are not worth a loop of their own.
template <class S, class Visit, class Done> void for_each_weight(const Bins<S>& bins, const Tile<S>& tile, Visit visit, Done done) {
  Transmittance<S> transmittance(tile);
  const Vec<S> lanes = lane_indices<S>();
  for (int64_t e = tile.begin; e < tile.end; ++e) {
    if ((e - tile.begin) % 16 == 0 && !transmittance.alive()) return;
    const LocalSplat<S> g = localise(bins.splats[bins.entries[e].splat], tile);
    for (int row = g.first_row; row <= g.last_row; ++row) {
      const S dy = g.dy0 + S(row), row_exponent = g.log2_opacity - g.sv * dy * dy, row_u = g.u0 + g.sk * S(row);
      for (int column = 0; column < kTile; column += kLanes<S>) {
        const int at = row * kTile + column;
        Mask<S> free;
        const Vec<S> alpha = segment_alpha<S>(row_u + g.su * (lanes + S(column)), row_exponent, &free);
        const Vec<S> before = load(transmittance.value + at), after = before * (S(1) - alpha);
        store<S>(transmittance.value + at, after);
        visit(e, at, after > S(kTransmittanceMin) ? alpha * before : Vec<S>{});
      }
    }
    done(e);
  }
}

struct Nothing {
  void operator()(int, int) const {}
};

// Runs body(tile index, scratch) over all tiles on `threads` threads; memory failures are reported, not thrown. before(part, parts) and
// after(part, parts) have every thread do its share of something else, before the first and after the last tile: in one parallel
// region, because waking the threads again would take as long as all that is to do in a small image. Neither may throw.
template <class Scratch, class Body, class Before = Nothing, class After = Nothing>
int over_tiles(int tiles, int threads, Body body, Before before = {}, After after = {}) {
  std::atomic<bool> failed{false};
  std::atomic<int> next{0};
  Barrier barrier;
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    const int part = thread_index(), parts = team_size();
    if constexpr (!std::is_same_v<Before, Nothing>) {
      before(part, parts);
      barrier.wait(parts);
    }
    try {
      Scratch scratch;
      for (int t; (t = next++) < tiles;) body(t, scratch);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    barrier.wait(parts);
    if constexpr (!std::is_same_v<After, Nothing>) {
      if (!failed) after(part, parts);
      barrier.wait(parts);
    }
  }
  return failed ? kOutOfMemory : kOk;
}

}  // namespace s3d
