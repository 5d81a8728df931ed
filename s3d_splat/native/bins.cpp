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
constexpr int kChunks = 8;  // at least, so that a thread that wakes late takes fewer

template <class S> bool make_splat(int64_t i, const S* means2d, const S* conics, const S* opacities, const S* depths, Splat<S>* out) {
  Splat<S>& s = *out;
  s.gaussian = int32_t(i);
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

// Stable radix sort of `order` by `keys`, as many bits a pass as leave no more than three of them.
void sort_by_key(int64_t n, Buffer<uint32_t>& keys, Buffer<uint32_t>& keys_swap, Buffer<int32_t>& order, Buffer<int32_t>& order_swap) {
  keys_swap.reserve(n);
  order_swap.reserve(n);
  uint32_t *k = keys.data(), *k2 = keys_swap.data();
  int32_t *o = order.data(), *o2 = order_swap.data();
  uint32_t lowest = ~0u, highest = 0;
  for (int64_t i = 0; i < n; ++i) lowest = std::min(lowest, k[i]), highest = std::max(highest, k[i]);
  if (n == 0 || lowest == highest) return;
  const int bits = 32 - __builtin_clz(highest - lowest), passes = (bits + 10) / 11, digit = (bits + passes - 1) / passes;
  const uint32_t mask = (1u << digit) - 1;
  uint32_t counts[3][2048];
  for (int pass = 0; pass < passes; ++pass) std::fill(counts[pass], counts[pass] + mask + 1, 0);
  for (int64_t i = 0; i < n; ++i) {
    k[i] -= lowest;
    for (int pass = 0; pass < passes; ++pass) ++counts[pass][(k[i] >> (digit * pass)) & mask];
  }
  for (int pass = 0; pass < passes; ++pass) {
    uint32_t total = 0;
    for (uint32_t d = 0; d <= mask; ++d) {
      const uint32_t c = counts[pass][d];
      counts[pass][d] = total;
      total += c;
    }
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t at = counts[pass][(k[i] >> (digit * pass)) & mask]++;
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
void Chunk<S>::add(const Splat<S>& s, uint32_t index, int width, int height, int tiles_x) {
  const Reach<S> reach(s);
  int top, bottom;
  if (!pixel_range(s.y, -s.half_height, s.half_height, height, &top, &bottom)) return;
  const int last_row = bottom / kTile;
  const S margin = S(kPixelMargin), rightmost = S(width - 1);
  int row = top / kTile;
  Span* span = spans.extend(span_count, last_row - row + 1);
  for (; row <= last_row; row += kLanes<S>) {
    // All rows of tiles at once: which of the pixel centres (i + 0.5) lie inside. Comparisons are such that NaN fails.
    Vec<S> left, right;
    const Vec<S> low = (lane_indices<S>() + S(row)) * S(kTile) + S(0.5) - s.y;
    reach.columns(low - margin, low + S(kTile - 1) + margin, &left, &right);
    left += s.x - S(0.5) - margin;
    right += s.x - S(0.5) + margin;
    const Mask<S> inside = (right >= S(0)) & (left <= rightmost);
    left = maximum<S>(left, Vec<S>{});
    right = minimum<S>(right, splat<S>(rightmost));
    const Mask<S> whole = __builtin_convertvector(inside ? left : splat<S>(S(1)), Mask<S>);
    const Mask<S> first = whole - (__builtin_convertvector(whole, Vec<S>) < left);
    const Mask<S> last = __builtin_convertvector(inside ? right : Vec<S>{}, Mask<S>);
    for (int i = 0; i < std::min(kLanes<S>, last_row - row + 1); ++i) {
      if (first[i] > last[i]) continue;
      const int begin = int(first[i]) / kTile, end = int(last[i]) / kTile;
      *span++ = Span{index, row + i, begin, end};
      uint32_t* counts = tile_counts.data() + (row + i) * (tiles_x + 1);
      ++counts[begin];  // differences: `sum_counts` adds them up
      --counts[end + 1];
      pairs += end - begin + 1;
    }
  }
  span_count = span - spans.data();
}

template <class S> void Chunk<S>::sum_counts() {
  uint32_t count = 0;  // 0 again at the end of every row
  for (size_t t = 0; t < tile_counts.size(); ++t) tile_counts[t] = count += tile_counts[t];
}

// Room for the lists, and where in them every chunk begins: tile by tile, and within a tile chunk by chunk, so that each list stays
// front to back.
template <class S> Status Bins<S>::make_room() {
  pairs = 0;
  for (size_t part = 0; part < chunks.size(); ++part) {
    chunk_slots[part] = pairs;
    pairs += chunks[part].pairs;
  }
  if (pairs >= int64_t(std::numeric_limits<int32_t>::max())) return kTooMany;
  entries.reserve(pairs + 1);
  int64_t total = 0;
  for (int t = 0; t < tiles(); ++t) {
    tile_begin[t] = total;
    const int at = t / tiles_x * (tiles_x + 1) + t % tiles_x;
    for (Chunk<S>& chunk : chunks) {
      const uint32_t count = chunk.tile_counts[at];
      chunk.tile_counts[at] = uint32_t(total);
      total += count;
    }
  }
  tile_begin[tiles()] = slot_begin[listed] = total;
  return kOk;
}

// Writes the entries of a chunk; `slot_begin` counted within the chunk before.
template <class S> void Bins<S>::list_chunk(int part) {
  Chunk<S>& chunk = chunks[part];
  const int64_t parts = int64_t(chunks.size()), base = chunk_slots[part], end = listed * (part + 1) / parts;
  for (int64_t p = listed * part / parts; p < end; ++p) slot_begin[p] += base;
  uint32_t slot = uint32_t(base);
  for (int64_t i = 0; i < chunk.span_count; ++i) {
    const Span span = chunk.spans[i];
    uint32_t* cursor = chunk.tile_counts.data() + span.tile_row * (tiles_x + 1);
    for (int column = span.first; column <= span.last; ++column) entries[cursor[column]++] = Entry{span.splat, slot++};
  }
}

template <class S>
Status Bins<S>::fill(int64_t n, const S* means2d, const S* conics, const S* opacities, const S* depths, int w, int h, int threads) {
  width = w, height = h, gaussians = n;
  tiles_x = (w + kTile - 1) / kTile;
  tiles_y = (h + kTile - 1) / kTile;
  order.reserve(n + 1);
  listed = 0;
  for (int64_t i = 0; i < n; ++i) {
    order[listed] = int32_t(i);
    listed += (opacities[i] >= S(kAlphaMin)) & (conics[3 * i] > S(0));
  }
  sort_front_to_back(listed, depths, *this);
  splats.reserve(listed + 1);
  slot_begin.reserve(listed + 1);
  tile_begin.reserve(tiles() + 1);

  const bool alone = listed < 2048 || threads == 1;
  const int parts = alone ? 1 : std::max(kChunks, threads);
  chunks.resize(parts);
  chunk_slots.resize(parts + 1);
  Barrier barrier;
  std::atomic<int> next_part{0}, next_list{0};
  std::atomic<Status> status{kOk};
#pragma omp parallel num_threads(threads) if (!alone)
  {
    const int team = team_size();
    try {
      for (int part; (part = next_part++) < parts;) {
        Chunk<S>& chunk = chunks[part];
        chunk.clear((tiles_x + 1) * tiles_y);
        const int64_t end = listed * (part + 1) / parts;
        for (int64_t p = listed * part / parts; p < end; ++p) {
          slot_begin[p] = chunk.pairs;
          Splat<S>& s = splats[p];
          if (make_splat(order[p], means2d, conics, opacities, depths, &s)) chunk.add(s, uint32_t(p), width, height, tiles_x);
        }
        chunk.sum_counts();
      }
    } catch (const std::bad_alloc&) {
      status = kOutOfMemory;
    }
    barrier.wait(team);
    if (thread_index() == 0 && status == kOk) {
      try {
        status = make_room();
      } catch (const std::bad_alloc&) {
        status = kOutOfMemory;
      }
    }
    barrier.wait(team);
    if (status == kOk)
      for (int part; (part = next_list++) < parts;) list_chunk(part);
    barrier.wait(team);
  }
  return status;
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
    const Status status = bins->fill(n, means2d, conics, opacities, depths, width, height, threads);
    if (status == kOk) *out = static_cast<BinsBase*>(bins.release());
    return status;
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
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
