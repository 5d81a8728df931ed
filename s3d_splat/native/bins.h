// Gaussians on the screen, sorted by depth and listed for every 16 x 16 tile that they touch.
#pragma once

#include "buffers.h"
#include "simd.h"

#include <cstdint>
#include <vector>

namespace s3d {

// alpha = min(kAlphaMax, 2^(log2_opacity - u^2 - sv dy^2)), u = su dx + sk dy: the Cholesky form of the conic, in powers of two,
// because a dx^2 + 2 b dx dy + c dy^2 loses its digits for long thin Gaussians.
template <class S> struct Splat {
  S x, y;          // centre, pixels
  S su, sk, sv;    // shape
  S log2_opacity;  // at the centre
  S reach;         // largest exponent deficit that still passes the alpha threshold, with a margin
  S opacity;
  S a, b, c;  // the conic as it was given
  int32_t gaussian;
};

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
  Buffer<S> gradients;           // workspace of the backward pass

  // Workspaces of `fill`.
  Buffer<int32_t> order, order_swap;
  Buffer<uint32_t> keys, keys_swap;

  int tiles() const { return tiles_x * tiles_y; }
  void fill(int64_t n, const S* means2d, const S* conics, const S* opacities, const S* depths, int w, int h, int threads);
};

// Tiles (or pixels) that an ellipse touches: the rows, and for each row the columns.
template <class S> struct Reach {
  const Splat<S>& s;
  S half_height, y_at_right;  // the right-most point of the ellipse lies at dy = y_at_right

  explicit Reach(const Splat<S>& splat) : s(splat) {
    half_height = std::sqrt(s.reach / s.sv);
    y_at_right = -half_height * s.sk / std::sqrt(s.sv + s.sk * s.sk);
  }
  // Horizontal extent of the part of the ellipse between dy = low and dy = high.
  void columns(S low, S high, S* left, S* right) const {
    low = std::max(low, -half_height);
    high = std::min(high, half_height);
    const S yr = std::min(std::max(y_at_right, low), high);
    const S yl = std::min(std::max(-y_at_right, low), high);
    *right = (std::sqrt(std::max(S(0), s.reach - s.sv * yr * yr)) - s.sk * yr) / s.su;
    *left = (-std::sqrt(std::max(S(0), s.reach - s.sv * yl * yl)) - s.sk * yl) / s.su;
  }
};

}  // namespace s3d
