// Which Gaussians touch which tile: exact ellipse against tile, opacity-aware, stable order, the same for any number of threads.
// The tight test follows the idea of AccuTile (Hanson et al., "Speedy-Splat", CVPR 2025): per row of tiles, the ellipse's columns.
#include "bins.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>

namespace s3d {
namespace {

constexpr double kReachMargin = 1e-3;  // conservative: the pixel loop decides exactly
constexpr double kPixelMargin = 0.01;

template <class S> bool make_splat(int64_t i, const S* means2d, const S* conics, const S* opacities, const S* depths, Splat<S>* out) {
  const S a = conics[3 * i], b = conics[3 * i + 1], c = conics[3 * i + 2];
  const S x = means2d[2 * i], y = means2d[2 * i + 1], opacity = opacities[i];
  const S largest = std::numeric_limits<S>::max();
  // For a very long Gaussian the entries, rounded, may miss a determinant that is almost zero; what is within rounding is drawn.
  const double rounding = double(c) * std::numeric_limits<S>::epsilon();
  double rest = double(c) - double(b) * double(b) / double(a);
  rest = rest > -4 * rounding ? std::max(rest, rounding) : -1;
  // Written so that NaN fails.
  const bool sane = opacity >= S(kAlphaMin) && opacity <= largest && a > S(0) && a <= largest && rest > 0 && rest <= largest &&
                    std::abs(x) <= S(1e9) && std::abs(y) <= S(1e9) && std::abs(depths[i]) <= largest;
  if (!sane) return false;
  Splat<S>& s = *out;
  s.x = x, s.y = y;
  const double su = std::sqrt(double(a) / kConic), sk = su * double(b) / double(a), sv = rest / kConic, norm = sk * sk + sv;
  s.su = S(su), s.sk = S(sk), s.sv = S(sv);
  s.log2_opacity = std::log2(opacity);
  s.inverse_opacity = S(1) / opacity;
  const double reach = double(s.log2_opacity) - kLog2AlphaMin + kReachMargin;
  s.half_height = S(std::sqrt(reach / sv));
  s.x_at_bottom = S(-sk / su * std::sqrt(reach / sv));
  s.tilt = S(su * sk / norm);
  s.bow = S(reach / norm);
  s.bow_x = S(su * su * sv / (norm * norm));
  s.gaussian = int32_t(i);
  return s.su > S(0) && s.sv > S(0) && s.half_height <= largest;
}

// Index range of the pixel centres (i + 0.5) inside [centre + low, centre + high], clipped to 0..count-1.
template <class S> bool pixel_range(S centre, S low, S high, int count, int* first, int* last) {
  const S lo = std::ceil(centre + low - S(0.5) - S(kPixelMargin)), hi = std::floor(centre + high - S(0.5) + S(kPixelMargin));
  if (!(hi >= S(0) && lo <= S(count - 1) && lo <= hi)) return false;
  *first = lo <= S(0) ? 0 : int(lo);
  *last = hi >= S(count - 1) ? count - 1 : int(hi);
  return true;
}

uint32_t sortable(float depth) {
  uint32_t bits;
  std::memcpy(&bits, &depth, 4);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Stable radix sort of `order` by `keys`, 11 bits a pass.
void sort_by_key(int64_t n, Buffer<uint32_t>& keys, Buffer<uint32_t>& keys_swap, Buffer<int32_t>& order, Buffer<int32_t>& order_swap) {
  keys_swap.reserve(n);
  order_swap.reserve(n);
  uint32_t *k = keys.data(), *k2 = keys_swap.data();
  int32_t *o = order.data(), *o2 = order_swap.data();
  std::vector<uint32_t> counts(3 * 2048, 0);
  for (int64_t i = 0; i < n; ++i)
    for (int pass = 0; pass < 3; ++pass) ++counts[pass * 2048 + ((k[i] >> (11 * pass)) & 2047)];
  for (int pass = 0; pass < 3; ++pass) {
    uint32_t* count = counts.data() + pass * 2048;
    uint32_t total = 0;
    bool one_bucket = false;
    for (int d = 0; d < 2048; ++d) {
      one_bucket |= count[d] == n;
      const uint32_t c = count[d];
      count[d] = total;
      total += c;
    }
    if (one_bucket) continue;
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t at = count[(k[i] >> (11 * pass)) & 2047]++;
      k2[at] = k[i];
      o2[at] = o[i];
    }
    std::swap(k, k2);
    std::swap(o, o2);
  }
  if (o != order.data()) std::copy(o, o + n, order.data());
}

void sort_front_to_back(int64_t n, const float* depths, Bins<float>& bins) {
  bins.keys.reserve(n);
  for (int64_t i = 0; i < n; ++i) bins.keys[i] = sortable(depths[bins.order[i]]);
  sort_by_key(n, bins.keys, bins.keys_swap, bins.order, bins.order_swap);
}

void sort_front_to_back(int64_t n, const double* depths, Bins<double>& bins) {
  std::stable_sort(bins.order.data(), bins.order.data() + n, [&](int32_t i, int32_t j) { return depths[i] < depths[j]; });
}

}  // namespace

template <class S>
void Chunk<S>::add(const Splat<S>& s, int width, int height, int tiles_x) {
  const Reach<S> reach(s);
  int top, bottom;
  if (!pixel_range(s.y, -reach.half_height, reach.half_height, height, &top, &bottom)) return;
  int64_t count = 0;
  for (int row = top / kTile; row <= bottom / kTile; ++row) {
    S left, right;
    int first, last;
    const S margin = S(kPixelMargin);
    reach.columns(S(row * kTile) + S(0.5) - s.y - margin, S(row * kTile + kTile) - S(0.5) - s.y + margin, &left, &right);
    if (!pixel_range(s.x, left, right, width, &first, &last)) continue;
    const Span span{uint32_t(splats.size()), row, first / kTile, last / kTile};
    spans.push_back(span);
    for (int column = span.first; column <= span.last; ++column) ++tile_counts[row * tiles_x + column];
    count += span.last - span.first + 1;
  }
  if (count == 0) return;
  splats.push_back(s);
  touched.push_back(count);
  pairs += count;
}

struct TooMany {};

template <class S>
void Bins<S>::fill(int64_t n, const S* means2d, const S* conics, const S* opacities, const S* depths, int w, int h, int threads) {
  width = w, height = h, gaussians = n;
  tiles_x = (w + kTile - 1) / kTile;
  tiles_y = (h + kTile - 1) / kTile;
  order.reserve(n);
  int64_t candidates = 0;
  for (int64_t i = 0; i < n; ++i) {
    order[candidates] = int32_t(i);
    candidates += opacities[i] >= S(kAlphaMin) && conics[3 * i] > S(0);
  }
  sort_front_to_back(candidates, depths, *this);

  const int parts = candidates < 2048 ? 1 : threads;
  chunks.resize(parts);
#pragma omp parallel for num_threads(parts) schedule(static, 1) if (parts > 1)
  for (int part = 0; part < parts; ++part) {
    Chunk<S>& chunk = chunks[part];
    try {
      chunk.clear(tiles());
      for (int64_t p = candidates * part / parts; p < candidates * (part + 1) / parts; ++p) {
        Splat<S> s;
        if (make_splat(order[p], means2d, conics, opacities, depths, &s)) chunk.add(s, width, height, tiles_x);
      }
    } catch (const std::bad_alloc&) {
      chunk.failed = true;
    }
  }

  visible = pairs = 0;
  for (const Chunk<S>& chunk : chunks) {
    if (chunk.failed) throw std::bad_alloc();
    visible += int64_t(chunk.splats.size());
    pairs += chunk.pairs;
  }
  if (pairs >= int64_t(std::numeric_limits<int32_t>::max())) throw TooMany();
  splats.reserve(visible + 1);
  slot_begin.reserve(visible + 1);
  tile_begin.reserve(tiles() + 1);
  entries.reserve(pairs + 1);

  // Exclusive sums: tile by tile, and within a tile chunk by chunk, so that each list stays front to back.
  int64_t total = 0;
  for (int t = 0; t < tiles(); ++t) {
    tile_begin[t] = total;
    for (Chunk<S>& chunk : chunks) {
      const uint32_t count = chunk.tile_counts[t];
      chunk.tile_counts[t] = uint32_t(total);
      total += count;
    }
  }
  tile_begin[tiles()] = total;
  std::vector<int64_t> first_splat(parts + 1, 0), first_slot(parts + 1, 0);
  for (int part = 0; part < parts; ++part) {
    first_splat[part + 1] = first_splat[part] + int64_t(chunks[part].splats.size());
    first_slot[part + 1] = first_slot[part] + chunks[part].pairs;
  }
  slot_begin[visible] = total;

#pragma omp parallel for num_threads(parts) schedule(static, 1) if (parts > 1)
  for (int part = 0; part < parts; ++part) {
    Chunk<S>& chunk = chunks[part];
    const int64_t base = first_splat[part];
    std::copy(chunk.splats.begin(), chunk.splats.end(), splats.data() + base);
    int64_t slot = first_slot[part];
    for (size_t i = 0; i < chunk.splats.size(); ++i) {
      slot_begin[base + int64_t(i)] = slot;
      slot += chunk.touched[i];
    }
    slot = first_slot[part];
    for (const Span& span : chunk.spans)
      for (int column = span.first; column <= span.last; ++column)
        entries[chunk.tile_counts[span.tile_row * tiles_x + column]++] = Entry{uint32_t(base + span.splat), uint32_t(slot++)};
  }
}

namespace {

// Bins are reused between steps: their memory would otherwise be returned and faulted in again every time.
template <class S> class Pool {
 public:
  std::unique_ptr<Bins<S>> take() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return std::make_unique<Bins<S>>();
    auto bins = std::move(free_.back());
    free_.pop_back();
    return bins;
  }
  void give(Bins<S>* bins) {
    std::unique_ptr<Bins<S>> owned(bins);
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_.size() < 2) free_.push_back(std::move(owned));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Bins<S>>> free_;
};

template <class S> Pool<S>& pool() {
  static Pool<S>* instance = new Pool<S>();  // never destroyed: Python may release bins while the process exits
  return *instance;
}

template <class S>
int create(int64_t n, const S* means2d, const S* conics, const S* opacities, const S* depths, int width, int height, int threads,
           void** out) {
  try {
    auto bins = pool<S>().take();
    bins->fill(n, means2d, conics, opacities, depths, width, height, threads);
    *out = static_cast<BinsBase*>(bins.release());
    return kOk;
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  } catch (const TooMany&) {
    return kTooMany;
  }
}

}  // namespace
}  // namespace s3d

extern "C" {

int s3d_bins_create_f32(int64_t n, const float* means2d, const float* conics, const float* opacities, const float* depths, int width,
                        int height, int threads, void** out) {
  return s3d::create<float>(n, means2d, conics, opacities, depths, width, height, threads, out);
}

int s3d_bins_create_f64(int64_t n, const double* means2d, const double* conics, const double* opacities, const double* depths,
                        int width, int height, int threads, void** out) {
  return s3d::create<double>(n, means2d, conics, opacities, depths, width, height, threads, out);
}

void s3d_bins_release(void* handle) {
  auto* base = static_cast<s3d::BinsBase*>(handle);
  if (base->scalar_bytes == 4) s3d::pool<float>().give(static_cast<s3d::Bins<float>*>(base));
  else s3d::pool<double>().give(static_cast<s3d::Bins<double>*>(base));
}

int64_t s3d_bins_pairs(const void* handle) {
  auto* base = static_cast<const s3d::BinsBase*>(handle);
  if (base->scalar_bytes == 4) return static_cast<const s3d::Bins<float>*>(base)->pairs;
  return static_cast<const s3d::Bins<double>*>(base)->pairs;
}
}
