// The Python module calib_kernels._native. Tensors come as addresses and strides that
// calib_kernels/native.py takes from checked tensors; the interpreter lock is dropped around loops.
#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <tuple>
#include <vector>

#include "cross_entropy/cross_entropy.hpp"
#include "option_scores/option_scores.hpp"
#include "row_stats/row_stats.hpp"
#include "sample/sample.hpp"
#include "simd/variant.hpp"
#include "temperature_sweep/temperature_sweep.hpp"

namespace nb = nanobind;

namespace {

using Address = uintptr_t;

template <class T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

const char* simd() {
  const char* error = nullptr;
  const char* name = calib::variant(&error).name;
  if (error) throw std::runtime_error(error);
  return name;
}

// (address, dtype, rows, columns, stride), (address, shared, options, spellings),
// (address or 0, wide), ...
using Logits = std::tuple<Address, int, int64_t, int64_t, int64_t>;
using Ids = std::tuple<Address, bool, int64_t, int64_t>;
using Labels = std::tuple<Address, bool, int64_t>;
using Temperature = std::tuple<double, Address, bool>;
using Bins = std::tuple<Address, int64_t, Address>;
using StatsOutputs =
    std::tuple<Address, Address, Address, Address, Address, Address, Address, Address, Address>;
// (softcap, smoothing, z_loss), (loss, kept, top, log2_d, slope); (top, log2_d, entropy),
// (loss, its stride, lse, entropy), (logits, stride, variance)
using Shape = std::tuple<double, double, double>;
using LossOutputs = std::tuple<Address, Address, Address, Address, Address>;
using Saved = std::tuple<Address, Address, Address>;
using Upstream = std::tuple<Address, int64_t, Address, Address>;
using Gradients = std::tuple<Address, int64_t, Address>;
using Outputs = std::tuple<Address, Address, Address, Address, Address, Address, Address, Address,
                           Address, Address>;

// (seed, item, shared, sample, step, shared, uniforms or 0, draws, top_k, top_p, gap, greedy)
using Draws = std::tuple<int64_t, Address, bool, Address, Address, bool, Address, int64_t, int64_t,
                         double, double, bool>;
using SampleOutputs = std::tuple<Address, Address, Address, Address, Address>;

calib::Histogram histogram_of(const Bins& bins) {
  const auto& [edges, count, sums] = bins;
  return {at<const float>(edges), count, at<int64_t>(sums)};
}

void read_rows(calib::RowInput& in, const Logits& logits, const Labels& labels,
               const Temperature& temperature) {
  int type;
  Address x, label, t;
  double scale;
  std::tie(x, type, in.rows, in.columns, in.stride) = logits;
  std::tie(label, in.wide_labels, in.ignore_index) = labels;
  std::tie(scale, t, in.shared_temperature) = temperature;
  in.logits = at<const void>(x);
  in.type = static_cast<calib::DType>(type);
  in.labels = at<const void>(label);
  in.scale = static_cast<float>(scale);
  in.temperatures = at<const float>(t);
}

void option_scores(const Logits& logits, const Ids& ids, const Labels& labels,
                   const Temperature& temperature, bool vocab_mode, const Bins& bins,
                   const Outputs& outputs, int threads) {
  calib::OptionInput in = {};
  Address id;
  std::tie(id, in.shared_ids, in.options, in.spellings) = ids;
  read_rows(in, logits, labels, temperature);
  in.ids = at<const int64_t>(id);
  in.vocab_mode = vocab_mode;
  const auto& [logprob, prob, mass, confidence, prediction, entropy, vocab_entropy, token, correct,
               valid] = outputs;
  const calib::OptionOutput out = {
      at<float>(logprob),      at<float>(prob),    at<float>(mass),          at<float>(confidence),
      at<int64_t>(prediction), at<float>(entropy), at<float>(vocab_entropy), at<int64_t>(token),
      at<bool>(correct),       at<bool>(valid)};
  const calib::Histogram histogram = histogram_of(bins);
  nb::gil_scoped_release released;
  calib::option_scores(in, out, histogram.bins ? &histogram : nullptr, threads);
}

void row_stats(const Logits& logits, const Labels& labels, const Temperature& temperature,
               const Bins& bins, const StatsOutputs& outputs, int threads) {
  calib::RowInput in = {};
  read_rows(in, logits, labels, temperature);
  const auto& [lse, confidence, prediction, entropy, sum_p2, label_logprob, correct, valid,
               log2_d] = outputs;
  const calib::StatsOutput out = {
      at<float>(lse),     at<float>(confidence), at<int64_t>(prediction),
      at<float>(entropy), at<float>(sum_p2),     at<float>(label_logprob),
      at<bool>(correct),  at<bool>(valid),       at<float>(log2_d)};
  const calib::Histogram histogram = histogram_of(bins);
  nb::gil_scoped_release released;
  calib::row_stats(in, out, histogram.bins ? &histogram : nullptr, threads);
}

calib::LossTerms shape_of(const Shape& shape) {
  const auto [cap, smoothing, z_loss] = shape;
  return {static_cast<float>(cap), smoothing, z_loss};
}

void cross_entropy(const Logits& logits, const Labels& labels, const Temperature& temperature,
                   const Shape& shape, int reduction, const Bins& bins, const LossOutputs& outputs,
                   int threads) {
  calib::RowInput in = {};
  read_rows(in, logits, labels, temperature);
  const auto [loss, kept, top, log2_d, slope] = outputs;
  const calib::LossOutput out = {at<float>(loss), at<int64_t>(kept), at<float>(top),
                                 at<float>(log2_d), at<float>(slope)};
  const calib::Histogram histogram = histogram_of(bins);
  nb::gil_scoped_release released;
  calib::cross_entropy(in, shape_of(shape), static_cast<calib::Reduction>(reduction), out,
                       histogram.bins ? &histogram : nullptr, threads);
}

void logits_gradient(const Logits& logits, const Labels& labels, const Temperature& temperature,
                     const Shape& shape, const Saved& saved, const Upstream& upstream,
                     const Gradients& gradients, int threads) {
  calib::RowInput in = {};
  read_rows(in, logits, labels, temperature);
  const auto [top, log2_d, row_entropy] = saved;
  const auto [loss, loss_stride, lse, entropy] = upstream;
  const auto [d_logits, stride, variance] = gradients;
  const calib::GradientInput given = {
      shape_of(shape),
      at<const float>(top),
      at<const float>(log2_d),
      at<const float>(row_entropy),
      {at<const float>(loss), loss_stride, at<const float>(lse), at<const float>(entropy)}};
  const calib::GradientOutput out = {at<void>(d_logits), stride, at<float>(variance)};
  nb::gil_scoped_release released;
  calib::logits_gradient(in, given, out, threads);
}

// Base, multiples, places.
using Group = std::tuple<double, std::vector<int>, std::vector<int>>;

void temperature_sweep(const Logits& logits, const Ids& ids, const Labels& labels,
                       std::vector<double> scales, const std::vector<Group>& groups,
                       int derivatives, const Bins& bins,
                       const std::tuple<Address, Address, Address, Address>& outputs, int threads) {
  calib::SweepInput in = {};
  Address id;
  std::tie(id, in.shared_ids, in.options, in.spellings) = ids;
  read_rows(in, logits, labels, {1.0, 0, false});
  in.ids = at<const int64_t>(id);
  in.scales = std::move(scales);
  in.derivatives = derivatives;
  for (const auto& [base, multiples, places] : groups)
    in.groups.push_back({static_cast<float>(base), multiples, places});
  const auto& [nll, grad, hess, count] = outputs;
  const calib::SweepOutput out = {at<double>(nll), at<double>(grad), at<double>(hess),
                                  at<int64_t>(count)};
  std::vector<calib::Histogram> histograms;
  calib::Histogram histogram = histogram_of(bins);
  for (size_t k = 0; k < in.scales.size() && histogram.bins; ++k) {
    histograms.push_back(histogram);
    histogram.sums += 3 * histogram.bins + 1;
  }
  nb::gil_scoped_release released;
  calib::temperature_sweep(in, out, histograms, threads);
}

void sample(const Logits& logits, const Labels& labels, const Temperature& temperature,
            const Draws& draws, const SampleOutputs& outputs, int threads) {
  calib::SampleInput in = {};
  read_rows(in, logits, labels, temperature);
  int64_t seed;
  Address item, index, step, uniforms;
  double gap;
  std::tie(seed, item, in.shared_item, index, step, in.shared_step, uniforms, in.draws,
           in.filters.top_k, in.filters.top_p, gap, in.greedy) = draws;
  in.seed = static_cast<uint64_t>(seed);
  in.item = at<const int64_t>(item);
  in.sample = at<const int64_t>(index);
  in.step = at<const int64_t>(step);
  in.uniforms = at<const double>(uniforms);
  in.filters.gap = static_cast<float>(gap);
  const auto& [token, logprob, logprob_unfiltered, entropy, valid] = outputs;
  const calib::SampleOutput out = {at<int64_t>(token), at<float>(logprob),
                                   at<float>(logprob_unfiltered), at<float>(entropy),
                                   at<bool>(valid)};
  nb::gil_scoped_release released;
  calib::sample(in, out, threads);
}

void histogram_delta(Address confidence, Address correct, Address valid, int64_t rows,
                     const Bins& bins, int threads) {
  const calib::Histogram histogram = histogram_of(bins);
  nb::gil_scoped_release released;
  calib::add_rows(histogram, at<const float>(confidence), at<const bool>(correct),
                  at<const bool>(valid), rows, threads);
}

}  // namespace

NB_MODULE(_native, m) {
  m.def("simd", &simd, "Name of the instruction-set variant in use.");
  m.def("option_scores", &option_scores);
  m.def("row_stats", &row_stats);
  m.def("cross_entropy", &cross_entropy);
  m.def("logits_gradient", &logits_gradient);
  m.def("temperature_sweep", &temperature_sweep);
  m.def("sample", &sample);
  m.def("histogram_delta", &histogram_delta);
}
