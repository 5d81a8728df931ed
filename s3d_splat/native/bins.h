// Gaussians on the screen, sorted by depth and listed for every 16 x 16 tile that they touch.
#pragma once

#include "buffers.h"
#include "simd.h"

#include <cstdint>
#include <vector>

namespace s3d {

// alpha = min(kAlphaMax, 2^(log2_opacity - u^2 - sv dy^2)), u = su dx + sk dy: the Cholesky form of the conic, in powers of two,
// because a dx^2 + 2 b dx dy + c dy^2 loses its digits for long thin Gaussians.
template <class S> struct alignas(16 * sizeof(S)) Splat {
  S x, y;          // centre, pixels
  S su, sk, sv;    // shape
  S log2_opacity;  // at the centre
  S inverse_opacity;
  S half_height;   // the ellipse that passes the alpha threshold (with a margin) spans dy = -half_height .. half_height;
  S x_at_bottom;   // it is lowest at dx = x_at_bottom, and at a given dx it spans
  S tilt, bow, bow_x;  // dy = -tilt dx -+ sqrt(bow - bow_x dx^2)
  int32_t gaussian;
};

// The conic's entries are kConic su^2, kConic su sk, kConic (sk^2 + sv): exponents are powers of two, q is halved.
constexpr double kConic = 2 * 0.6931471805599453;

constexpr double kAlphaMax = 0.999;
constexpr double kAlphaMin = 1.0 / 255.0;
constexpr double kLog2AlphaMin = -7.994353436858858;
constexpr double kTransmittanceMin = 1e-4;

struct Entry {
  uint32_t splat;  // index into Bins::splats
  uint32_t slot;   // where this intersection writes its gradients: the rows of one Gaussian are adjacent
};

struct BinsBase {
  virtual ~BinsBase() = default;
  int scalar_bytes = 0;
};

struct Span {
  uint32_t splat;
  int32_t tile_row;
  int32_t first, last;  // columns of tiles
};

// Part of the depth order that one thread handles: its spans and how often it touches each tile.
template <class S> struct Chunk {
  Buffer<Span> spans;
  int64_t span_count = 0;
  std::vector<uint32_t> tile_counts;  // a column more than there are tiles
  int64_t pairs = 0;

  // Keeps the memory of the step before.
  void clear(int counts) {
    span_count = pairs = 0;
    tile_counts.assign(counts, 0);
  }

  void add(const Splat<S>& s, uint32_t index, int width, int height, int tiles_x);
  void sum_counts();
};

template <class S> struct Bins : BinsBase {
  Bins() { scalar_bytes = sizeof(S); }
  int width = 0, height = 0, tiles_x = 0, tiles_y = 0;
  int64_t gaussians = 0;  // of the input
  int64_t listed = 0;     // splats: all that may be seen; some touch no tile
  int64_t pairs = 0;      // intersections
  Buffer<Splat<S>> splats;       // [listed], front to back
  Buffer<int64_t> slot_begin;    // [listed + 1]
  Buffer<int64_t> tile_begin;    // [tiles + 1]
  Buffer<Entry> entries;         // [pairs], by tile, then front to back
  Buffer<S> values;              // what is composited, packed front to back
  Buffer<S> gradients;           // one row an intersection

  // Workspaces of `fill`.
  Buffer<int32_t> order, order_swap;
  Buffer<uint32_t> keys, keys_swap;
  std::vector<Chunk<S>> chunks;
  std::vector<int64_t> chunk_slots;  // [chunks + 1]

  int tiles() const { return tiles_x * tiles_y; }
  Status fill(int64_t n, const S* means2d, const S* conics, const S* opacities, const S* depths, int w, int h, int threads);

 private:
  Status make_room();
  void list_chunk(int part);
};

// Horizontal extents of an ellipse, row of tiles by row of tiles.
template <class S> struct Reach {
  S half_height, y_at_right;  // the right-most point of the ellipse lies at dy = y_at_right
  S slant, bow, bow_y;        // at a given dy it spans dx = -slant dy -+ sqrt(bow - bow_y dy^2)

  explicit Reach(const Splat<S>& s) : half_height(s.half_height) {
    const S inverse = S(1) / s.su;
    y_at_right = -half_height * s.sk / std::sqrt(s.sv + s.sk * s.sk);
    slant = s.sk * inverse;
    bow_y = s.sv * inverse * inverse;
    bow = half_height * half_height * bow_y;
  }
  // Horizontal extents of the parts of the ellipse between dy = low and dy = high.
  void columns(Vec<S> low, Vec<S> high, Vec<S>* left, Vec<S>* right) const {
    low = maximum<S>(low, splat<S>(-half_height));
    high = minimum<S>(high, splat<S>(half_height));
    const Vec<S> yr = minimum<S>(maximum<S>(splat<S>(y_at_right), low), high);
    const Vec<S> yl = minimum<S>(maximum<S>(splat<S>(-y_at_right), low), high);
    *right = square_root<S>(maximum<S>(bow - bow_y * yr * yr, Vec<S>{})) - slant * yr;
    *left = -square_root<S>(maximum<S>(bow - bow_y * yl * yl, Vec<S>{})) - slant * yl;
  }
};

}  // namespace s3d
