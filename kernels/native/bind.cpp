// The Python module calib_kernels._native. Tensors come as addresses and strides that
// calib_kernels/native.py takes from checked tensors; the interpreter lock is dropped around loops.
#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>

#include <stdexcept>
#include <tuple>

#include "loss.hpp"
#include "options.hpp"
#include "statistics.hpp"
#include "variant.hpp"

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

calib::Histogram histogram_of(const Bins& bins) {
  return {at<const float>(std::get<0>(bins)), std::get<1>(bins), at<int64_t>(std::get<2>(bins))};
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
      at<float>(logprob),    at<float>(prob),    at<float>(mass),
      at<float>(confidence), at<int64_t>(prediction), at<float>(entropy),
      at<float>(vocab_entropy), at<int64_t>(token), at<bool>(correct),
      at<bool>(valid)};
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
      at<float>(lse),    at<float>(confidence),    at<int64_t>(prediction), at<float>(entropy),
      at<float>(sum_p2), at<float>(label_logprob), at<bool>(correct),       at<bool>(valid),
      at<float>(log2_d)};
  const calib::Histogram histogram = histogram_of(bins);
  nb::gil_scoped_release released;
  calib::row_stats(in, out, histogram.bins ? &histogram : nullptr, threads);
}

calib::LossShape shape_of(const Shape& shape) {
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
      shape_of(shape), at<const float>(top), at<const float>(log2_d), at<const float>(row_entropy),
      {at<const float>(loss), loss_stride, at<const float>(lse), at<const float>(entropy)}};
  const calib::GradientOutput out = {at<void>(d_logits), stride, at<float>(variance)};
  nb::gil_scoped_release released;
  calib::logits_gradient(in, given, out, threads);
}

void histogram_delta(Address confidence, Address correct, Address valid, int64_t rows,
                     const Bins& bins) {
  const calib::Histogram histogram = histogram_of(bins);
  nb::gil_scoped_release released;
  calib::add_rows(histogram, at<const float>(confidence), at<const bool>(correct),
                  at<const bool>(valid), rows);
}

}  // namespace

NB_MODULE(_native, m) {
  m.def("simd", &simd, "Name of the instruction-set variant in use.");
  m.def("option_scores", &option_scores);
  m.def("row_stats", &row_stats);
  m.def("cross_entropy", &cross_entropy);
  m.def("logits_gradient", &logits_gradient);
  m.def("histogram_delta", &histogram_delta);
}
