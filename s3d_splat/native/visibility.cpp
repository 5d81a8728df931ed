// Which anchors a camera can see: a sphere around each against the view pyramid.
#include "buffers.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace s3d {
namespace {

template <class S> struct Anchors {
  const S *positions, *log_extent, *offsets, *log_scales;  // [a, 3], [a, 3], [a, k, 3], [a, k, 3]
  int64_t count, children;
  S sigmas;  // reach of a child, in its longest axis

  // The radius of the sphere that holds all children of an anchor.
  S radius(int64_t a) const {
    S furthest[3] = {}, longest = log_scales[a * children * 3];
    for (int64_t i = a * children * 3; i < (a + 1) * children * 3; i += 3)
      for (int k = 0; k < 3; ++k) {
        furthest[k] = std::max(furthest[k], std::abs(offsets[i + k]));
        longest = std::max(longest, log_scales[i + k]);
      }
    S squared = 0;
    for (int k = 0; k < 3; ++k) {
      const S reach = furthest[k] * std::exp(log_extent[3 * a + k]);
      squared += reach * reach;
    }
    return std::sqrt(squared) + sigmas * std::exp(longest);
  }
};

// `planes` [5, 4]: a point p is outside by planes[i] . (p, 1) metres.
template <class S> void mark_visible(const Anchors<S>& anchors, const double* planes, uint8_t* inside, int threads) {
  S plane[20];
  std::copy(planes, planes + 20, plane);
  parallel_ranges(anchors.count, threads, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t a = begin; a < end; ++a) {
      const S *p = anchors.positions + 3 * a, radius = anchors.radius(a);
      bool near = true;
      for (int i = 0; i < 5; ++i) {
        const S* n = plane + 4 * i;
        near &= n[0] * p[0] + n[1] * p[1] + n[2] * p[2] + n[3] < radius;
      }
      inside[a] = near;
    }
  });
}

}  // namespace
}  // namespace s3d

#define S3D_DEFINE_VISIBLE(S, SUFFIX)                                                                                             \
  extern "C" int s3d_visible_##SUFFIX(const S* positions, const S* log_extent, const S* offsets, const S* log_scales,             \
                                      int64_t count, int64_t children, double sigmas, const double* planes, uint8_t* inside,     \
                                      int threads) {                                                                             \
    s3d::mark_visible<S>({positions, log_extent, offsets, log_scales, count, children, S(sigmas)}, planes, inside, threads);      \
    return s3d::kOk;                                                                                                             \
  }

S3D_DEFINE_VISIBLE(float, f32)
S3D_DEFINE_VISIBLE(double, f64)
