// From Gaussians in the world to ellipses on the screen (EWA splatting, Zwicker et al. 2001; gsplat's conventions), and back.
// W Gaussians at a time. The covariance on the screen is M M^T + blur I with M = J R_cw R(q) diag(s), a 2 x 3 matrix; its determinant
// is |r0 x r1|^2 + blur trace + blur^2 (Cauchy-Binet), a sum of positive terms that keeps its digits for thin Gaussians if the
// scales enter after the cross product.
#include "buffers.h"
#include "simd.h"

#include <algorithm>
#include <limits>

namespace s3d {
namespace {

constexpr double kNear = 0.01;
constexpr double kBlur = 0.3;
constexpr double kAlphaMin = 1.0 / 255.0;
constexpr double kLogScaleMax = 10;

struct View {
  double R[9], t[3];  // camera from world
  double fx, fy, cx, cy;
  double left, right, top, bottom;  // x / z and y / z beyond which the Jacobian is held (1.3 x the field of view)
  int width, height;

  View(const double* v, int w, int h) : fx(v[12]), fy(v[13]), cx(v[14]), cy(v[15]), width(w), height(h) {
    std::copy(v, v + 9, R);
    std::copy(v + 9, v + 12, t);
    const double margin_x = 0.15 * w / fx, margin_y = 0.15 * h / fy;
    left = -cx / fx - margin_x, right = (w - cx) / fx + margin_x;
    top = -cy / fy - margin_y, bottom = (h - cy) / fy + margin_y;
  }
};

template <class S> S3D_INLINE void gather(const S* data, int64_t first, int64_t count, int columns, Vec<S>* out) {
  for (int c = 0; c < columns; ++c)
    for (int i = 0; i < kLanes<S>; ++i) out[c][i] = data[(first + std::min<int64_t>(i, count - 1)) * columns + c];
}

template <class S> S3D_INLINE void scatter(S* data, int64_t first, int64_t count, int columns, const Vec<S>* values, Mask<S> keep) {
  for (int c = 0; c < columns; ++c) {
    const Vec<S> v = keep ? values[c] : Vec<S>{};
    for (int64_t i = 0; i < count; ++i) data[(first + i) * columns + c] = v[i];
  }
}

template <class S> S3D_INLINE Vec<S> exponential(Vec<S> x) {
  for (int i = 0; i < kLanes<S>; ++i) x[i] = std::exp(x[i]);
  return x;
}

template <> S3D_INLINE Vec<float> exponential<float>(Vec<float> x) {
  return exp2_lanes(minimum<float>(maximum<float>(x, splat<float>(-80.0f)), splat<float>(80.0f)) * 1.44269504f);
}

// Everything the projection of W Gaussians needs and its gradient needs again.
template <class S> struct Projected {
  using V = Vec<S>;
  V x, y, z, inv_z;        // camera frame
  V u, v;                  // x / z and y / z, held near the field of view
  Mask<S> u_free, v_free;  // not held
  V q[4], inv_length;      // unit quaternion
  V rotation[9];           // of the Gaussian, world from local
  V local[9];              // R_cw R(q)
  V scale[3];
  Mask<S> small_enough;    // every axis
  V T[6], M[6];            // J R_cw R(q), and times the scales
  V A, B, C, det;          // covariance on the screen, blur included
  V mean_x, mean_y;
};

template <class S> S3D_INLINE void rotation_of(const Vec<S>* q, Vec<S>* R) {
  const Vec<S> w = q[0], x = q[1], y = q[2], z = q[3];
  const S two = 2, one = 1;
  R[0] = one - two * (y * y + z * z), R[1] = two * (x * y - w * z), R[2] = two * (x * z + w * y);
  R[3] = two * (x * y + w * z), R[4] = one - two * (x * x + z * z), R[5] = two * (y * z - w * x);
  R[6] = two * (x * z - w * y), R[7] = two * (y * z + w * x), R[8] = one - two * (x * x + y * y);
}

template <class S> S3D_INLINE void project_lanes(const View& view, const Vec<S>* mean, const Vec<S>* log_scale, const Vec<S>* quaternion,
                                                 Projected<S>& p) {
  using V = Vec<S>;
  V camera[3];
  for (int i = 0; i < 3; ++i)
    camera[i] = S(view.R[3 * i]) * mean[0] + S(view.R[3 * i + 1]) * mean[1] + S(view.R[3 * i + 2]) * mean[2] + S(view.t[i]);
  p.x = camera[0], p.y = camera[1], p.z = camera[2];
  p.inv_z = S(1) / p.z;
  const V slope_x = p.x * p.inv_z, slope_y = p.y * p.inv_z;
  p.u = minimum<S>(maximum<S>(slope_x, splat<S>(S(view.left))), splat<S>(S(view.right)));
  p.v = minimum<S>(maximum<S>(slope_y, splat<S>(S(view.top))), splat<S>(S(view.bottom)));
  p.u_free = (slope_x >= S(view.left)) & (slope_x <= S(view.right));
  p.v_free = (slope_y >= S(view.top)) & (slope_y <= S(view.bottom));
  p.mean_x = S(view.fx) * slope_x + S(view.cx);
  p.mean_y = S(view.fy) * slope_y + S(view.cy);

  V length2{};
  for (int i = 0; i < 4; ++i) length2 += quaternion[i] * quaternion[i];
  p.inv_length = S(1) / square_root<S>(length2);
  for (int i = 0; i < 4; ++i) p.q[i] = quaternion[i] * p.inv_length;
  rotation_of<S>(p.q, p.rotation);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      p.local[3 * i + j] = S(view.R[3 * i]) * p.rotation[j] + S(view.R[3 * i + 1]) * p.rotation[3 + j] + S(view.R[3 * i + 2]) * p.rotation[6 + j];
  const V jx = S(view.fx) * p.inv_z, jy = S(view.fy) * p.inv_z;
  p.small_enough = (log_scale[0] <= S(kLogScaleMax)) & (log_scale[1] <= S(kLogScaleMax)) & (log_scale[2] <= S(kLogScaleMax));
  for (int j = 0; j < 3; ++j) {
    p.scale[j] = exponential<S>(log_scale[j]);
    p.T[j] = jx * (p.local[j] - p.u * p.local[6 + j]);
    p.T[3 + j] = jy * (p.local[3 + j] - p.v * p.local[6 + j]);
    p.M[j] = p.T[j] * p.scale[j];
    p.M[3 + j] = p.T[3 + j] * p.scale[j];
  }
  const V* m = p.M;
  const V a = m[0] * m[0] + m[1] * m[1] + m[2] * m[2], c = m[3] * m[3] + m[4] * m[4] + m[5] * m[5];
  const V* t = p.T;
  const V k0 = (t[1] * t[5] - t[2] * t[4]) * (p.scale[1] * p.scale[2]);
  const V k1 = (t[2] * t[3] - t[0] * t[5]) * (p.scale[2] * p.scale[0]);
  const V k2 = (t[0] * t[4] - t[1] * t[3]) * (p.scale[0] * p.scale[1]);
  p.B = m[0] * m[3] + m[1] * m[4] + m[2] * m[5];
  p.A = a + S(kBlur), p.C = c + S(kBlur);
  p.det = k0 * k0 + k1 * k1 + k2 * k2 + S(kBlur) * (a + c) + S(kBlur * kBlur);
}

// In front of the near plane, finite, opaque enough for one pixel, and its extent reaches the image. NaN fails every test.
template <class S> S3D_INLINE Mask<S> visible_lanes(const View& view, const Projected<S>& p, Vec<S> opacity) {
  using V = Vec<S>;
  const V largest = splat<S>(std::numeric_limits<S>::max());
  Mask<S> keep = p.small_enough & (p.z >= S(kNear)) & (p.z <= largest) & (p.det > S(0)) & (p.det <= largest) & (p.A <= largest) & (p.C <= largest) &
                 (opacity >= S(kAlphaMin)) & (opacity <= largest) & (p.inv_length > S(0)) & (p.inv_length <= largest);
  V twice_q;
  for (int i = 0; i < kLanes<S>; ++i) twice_q[i] = S(2) * std::log(std::max(opacity[i] * S(255), S(1)));
  const V reach_x = square_root<S>(twice_q * p.A), reach_y = square_root<S>(twice_q * p.C);
  return keep & (p.mean_x + reach_x > S(0)) & (p.mean_x - reach_x < S(view.width)) & (p.mean_y + reach_y > S(0)) &
         (p.mean_y - reach_y < S(view.height));
}

template <class S>
void forward(int64_t n, const S* means, const S* log_scales, const S* quaternions, const S* opacities, const View& view, S* means2d,
             S* conics, S* depths, S* radii, int threads) {
  parallel_ranges(n, threads, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kLanes<S>) {
      const int64_t count = std::min<int64_t>(kLanes<S>, end - i);
      Vec<S> mean[3], log_scale[3], quaternion[4], opacity[1];
      gather(means, i, count, 3, mean);
      gather(log_scales, i, count, 3, log_scale);
      gather(quaternions, i, count, 4, quaternion);
      gather(opacities, i, count, 1, opacity);
      Projected<S> p;
      project_lanes<S>(view, mean, log_scale, quaternion, p);
      const Mask<S> keep = visible_lanes<S>(view, p, opacity[0]);
      const Vec<S> inv_det = S(1) / p.det, half_trace = S(0.5) * (p.A + p.C);
      const Vec<S> spread = square_root<S>(maximum<S>(splat<S>(S(0.01)), half_trace * half_trace - p.det));
      Vec<S> radius = S(3) * square_root<S>(half_trace + spread);
      for (int k = 0; k < kLanes<S>; ++k) radius[k] = std::ceil(radius[k]);
      const Vec<S> centre[2] = {p.mean_x, p.mean_y}, conic[3] = {p.C * inv_det, -p.B * inv_det, p.A * inv_det};
      scatter<S>(means2d, i, count, 2, centre, keep);
      scatter<S>(conics, i, count, 3, conic, keep);
      scatter<S>(depths, i, count, 1, &p.z, keep);
      scatter<S>(radii, i, count, 1, &radius, keep);
    }
  });
}

// d conic -> d M: with Q the conic as a matrix, d(covariance) = -Q G Q.
template <class S> S3D_INLINE void gradient_of_m(const Projected<S>& p, const Vec<S>* d_conic, Vec<S>* dM) {
  using V = Vec<S>;
  const V inv_det = S(1) / p.det, a = p.C * inv_det, b = -p.B * inv_det, c = p.A * inv_det;
  const V ga = d_conic[0], gb = S(0.5) * d_conic[1], gc = d_conic[2];
  const V l00 = a * ga + b * gb, l01 = a * gb + b * gc, l10 = b * ga + c * gb, l11 = b * gb + c * gc;
  const V dA = -(l00 * a + l01 * b), dC = -(l10 * b + l11 * c), dB = -(l00 * b + l01 * c) - (l10 * a + l11 * b);
  for (int j = 0; j < 3; ++j) {
    dM[j] = S(2) * dA * p.M[j] + dB * p.M[3 + j];
    dM[3 + j] = S(2) * dC * p.M[3 + j] + dB * p.M[j];
  }
}

// Gradient of the unit quaternion, then of the one that was given.
template <class S> S3D_INLINE void gradient_of_quaternion(const Projected<S>& p, const Vec<S>* G, Vec<S>* out) {
  const Vec<S> w = p.q[0], x = p.q[1], y = p.q[2], z = p.q[3];
  const S two = 2;
  Vec<S> d[4];
  d[0] = two * (x * (G[7] - G[5]) + y * (G[2] - G[6]) + z * (G[3] - G[1]));
  d[1] = two * (y * (G[1] + G[3]) + z * (G[2] + G[6]) + w * (G[7] - G[5]) - two * x * (G[4] + G[8]));
  d[2] = two * (x * (G[1] + G[3]) + z * (G[5] + G[7]) + w * (G[2] - G[6]) - two * y * (G[0] + G[8]));
  d[3] = two * (x * (G[2] + G[6]) + y * (G[5] + G[7]) + w * (G[3] - G[1]) - two * z * (G[0] + G[4]));
  const Vec<S> along = p.q[0] * d[0] + p.q[1] * d[1] + p.q[2] * d[2] + p.q[3] * d[3];
  for (int i = 0; i < 4; ++i) out[i] = (d[i] - p.q[i] * along) * p.inv_length;
}

template <class S>
S3D_INLINE void backward_lanes(const View& view, const Projected<S>& p, const Vec<S>* d_mean2d, const Vec<S>* d_conic, Vec<S> d_depth,
                               Vec<S>* d_mean, Vec<S>* d_log_scale, Vec<S>* d_quaternion) {
  using V = Vec<S>;
  V dM[6], dT[6];
  gradient_of_m<S>(p, d_conic, dM);
  for (int j = 0; j < 3; ++j) {
    d_log_scale[j] = dM[j] * p.M[j] + dM[3 + j] * p.M[3 + j];
    dT[j] = dM[j] * p.scale[j];
    dT[3 + j] = dM[3 + j] * p.scale[j];
  }
  // T[0,j] = jx (L[0,j] - u L[2,j]), T[1,j] = jy (L[1,j] - v L[2,j])
  const V jx = S(view.fx) * p.inv_z, jy = S(view.fy) * p.inv_z;
  V d_jx{}, d_jy{}, d_u{}, d_v{}, d_local[9];
  for (int j = 0; j < 3; ++j) {
    d_jx += dT[j] * (p.local[j] - p.u * p.local[6 + j]);
    d_jy += dT[3 + j] * (p.local[3 + j] - p.v * p.local[6 + j]);
    d_u -= dT[j] * jx * p.local[6 + j];
    d_v -= dT[3 + j] * jy * p.local[6 + j];
    d_local[j] = dT[j] * jx;
    d_local[3 + j] = dT[3 + j] * jy;
    d_local[6 + j] = -(dT[j] * jx * p.u + dT[3 + j] * jy * p.v);
  }
  d_u = p.u_free ? d_u : V{};
  d_v = p.v_free ? d_v : V{};
  const V d_slope_x = d_u + d_mean2d[0] * S(view.fx), d_slope_y = d_v + d_mean2d[1] * S(view.fy);
  const V d_x = d_slope_x * p.inv_z, d_y = d_slope_y * p.inv_z;
  const V d_z = d_depth - (d_x * p.x + d_y * p.y) * p.inv_z - (d_jx * jx + d_jy * jy) * p.inv_z;
  V d_rotation[9];
  for (int i = 0; i < 3; ++i) {
    d_mean[i] = S(view.R[i]) * d_x + S(view.R[3 + i]) * d_y + S(view.R[6 + i]) * d_z;
    for (int j = 0; j < 3; ++j)
      d_rotation[3 * i + j] = S(view.R[i]) * d_local[j] + S(view.R[3 + i]) * d_local[3 + j] + S(view.R[6 + i]) * d_local[6 + j];
  }
  gradient_of_quaternion<S>(p, d_rotation, d_quaternion);
}

template <class S>
void backward(int64_t n, const S* means, const S* log_scales, const S* quaternions, const S* radii, const View& view, const S* d_means2d,
              const S* d_conics, const S* d_depths, S* d_means, S* d_log_scales, S* d_quaternions, int threads) {
  parallel_ranges(n, threads, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kLanes<S>) {
      const int64_t count = std::min<int64_t>(kLanes<S>, end - i);
      Vec<S> mean[3], log_scale[3], quaternion[4], radius[1], d_mean2d[2], d_conic[3], d_depth[1];
      gather(radii, i, count, 1, radius);
      const Mask<S> keep = radius[0] > S(0);
      gather(means, i, count, 3, mean);
      gather(log_scales, i, count, 3, log_scale);
      gather(quaternions, i, count, 4, quaternion);
      gather(d_means2d, i, count, 2, d_mean2d);
      gather(d_conics, i, count, 3, d_conic);
      gather(d_depths, i, count, 1, d_depth);
      Projected<S> p;
      project_lanes<S>(view, mean, log_scale, quaternion, p);
      Vec<S> d_mean[3], d_log_scale[3], d_quaternion[4];
      backward_lanes<S>(view, p, d_mean2d, d_conic, d_depth[0], d_mean, d_log_scale, d_quaternion);
      scatter<S>(d_means, i, count, 3, d_mean, keep);
      scatter<S>(d_log_scales, i, count, 3, d_log_scale, keep);
      scatter<S>(d_quaternions, i, count, 4, d_quaternion, keep);
    }
  });
}

}  // namespace
}  // namespace s3d

// `view`: rotation and translation of camera from world (row by row), fx, fy, cx, cy.
#define S3D_DEFINE_PROJECTION(S, SUFFIX)                                                                                           \
  extern "C" int s3d_project_##SUFFIX(int64_t n, const S* means, const S* log_scales, const S* quaternions, const S* opacities,    \
                                      const double* view, int width, int height, S* means2d, S* conics, S* depths, S* radii,       \
                                      int threads) {                                                                               \
    s3d::forward<S>(n, means, log_scales, quaternions, opacities, s3d::View(view, width, height), means2d, conics, depths, radii,  \
                    threads);                                                                                                      \
    return s3d::kOk;                                                                                                               \
  }                                                                                                                                \
  extern "C" int s3d_project_backward_##SUFFIX(int64_t n, const S* means, const S* log_scales, const S* quaternions,               \
                                               const S* radii, const double* view, int width, int height, const S* d_means2d,      \
                                               const S* d_conics, const S* d_depths, S* d_means, S* d_log_scales,                  \
                                               S* d_quaternions, int threads) {                                                    \
    s3d::backward<S>(n, means, log_scales, quaternions, radii, s3d::View(view, width, height), d_means2d, d_conics, d_depths,      \
                     d_means, d_log_scales, d_quaternions, threads);                                                               \
    return s3d::kOk;                                                                                                               \
  }

S3D_DEFINE_PROJECTION(float, f32)
S3D_DEFINE_PROJECTION(double, f64)
