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
  std::vector<Splat<S>> splats;
  std::vector<int64_t> touched;  // tiles of each splat
  std::vector<Span> spans;
  std::vector<uint32_t> tile_counts;
  int64_t pairs = 0;
  bool failed = false;

  // Keeps the memory of the step before.
  void clear(int tiles) {
    splats.clear();
    touched.clear();
    spans.clear();
    tile_counts.assign(tiles, 0);
    pairs = 0;
    failed = false;
  }

  void add(const Splat<S>& s, int width, int height, int tiles_x);
};

template <class S> struct Bins : BinsBase {
  Bins() { scalar_bytes = sizeof(S); }
  int width = 0, height = 0, tiles_x = 0, tiles_y = 0;
  int64_t gaussians = 0;  // of the input
  int64_t visible = 0;    // splats
  int64_t pairs = 0;      // intersections
  Buffer<Splat<S>> splats;       // [visible], front to back
  Buffer<int64_t> slot_begin;    // [visible + 1]
  Buffer<int64_t> tile_begin;    // [tiles + 1]
  Buffer<Entry> entries;         // [pairs], by tile, then front to back
  Buffer<S> values;              // what is composited, packed front to back
  Buffer<S> gradients;           // one row an intersection

  // Workspaces of `fill`.
  Buffer<int32_t> order, order_swap;
  Buffer<uint32_t> keys, keys_swap;
  std::vector<Chunk<S>> chunks;

  int tiles() const { return tiles_x * tiles_y; }
  void fill(int64_t n, const S* means2d, const S* conics, const S* opacities, const S* depths, int w, int h, int threads);
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
  // Horizontal extent of the part of the ellipse between dy = low and dy = high.
  void columns(S low, S high, S* left, S* right) const {
    low = std::max(low, -half_height);
    high = std::min(high, half_height);
    const S yr = std::min(std::max(y_at_right, low), high);
    const S yl = std::min(std::max(-y_at_right, low), high);
    *right = std::sqrt(std::max(S(0), bow - bow_y * yr * yr)) - slant * yr;
    *left = -std::sqrt(std::max(S(0), bow - bow_y * yl * yl)) - slant * yl;
  }
};

}  // namespace s3d
