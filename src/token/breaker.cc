#include "token/breaker.h"

#include <array>

namespace keyhold::token {
namespace {

using State = BreakerState;
using Event = BreakerEvent;
using Step = BreakerStep;

constexpr std::size_t kEvents = static_cast<std::size_t>(Event::kPinRefused) + 1;
constexpr std::size_t kStates = static_cast<std::size_t>(State::kHalfOpen) + 1;

constexpr auto kTable = std::to_array<BreakerRow>({
    // What a caller sends never opens it.
    {State::kClosed, Event::kBadInput, State::kClosed, Step::kNothing},
    {State::kClosed, Event::kTokenLost, State::kOpen, Step::kShut},
    {State::kClosed, Event::kCallHangs, State::kOpen, Step::kShut},
    // Trials are recovery's own, which makes none while callers are let in.
    {State::kClosed, Event::kTrialDue, State::kClosed, Step::kNothing},
    {State::kClosed, Event::kTrialSucceeded, State::kClosed, Step::kNothing},
    {State::kClosed, Event::kTrialFailed, State::kClosed, Step::kNothing},
    // A login was lost, and the PIN is no longer what it was.
    {State::kClosed, Event::kPinRefused, State::kOpen, Step::kGiveUp},

    // Those who were inside when it opened report what they saw; it is known.
    {State::kOpen, Event::kBadInput, State::kOpen, Step::kNothing},
    {State::kOpen, Event::kTokenLost, State::kOpen, Step::kNothing},
    {State::kOpen, Event::kCallHangs, State::kOpen, Step::kNothing},
    {State::kOpen, Event::kTrialDue, State::kHalfOpen, Step::kTry},
    {State::kOpen, Event::kTrialSucceeded, State::kOpen, Step::kNothing},
    {State::kOpen, Event::kTrialFailed, State::kOpen, Step::kNothing},
    {State::kOpen, Event::kPinRefused, State::kOpen, Step::kGiveUp},

    // Nobody else is inside: what is reported now was seen before.
    {State::kHalfOpen, Event::kBadInput, State::kHalfOpen, Step::kNothing},
    {State::kHalfOpen, Event::kTokenLost, State::kHalfOpen, Step::kNothing},
    {State::kHalfOpen, Event::kCallHangs, State::kHalfOpen, Step::kNothing},
    {State::kHalfOpen, Event::kTrialDue, State::kHalfOpen, Step::kNothing},
    {State::kHalfOpen, Event::kTrialSucceeded, State::kClosed, Step::kAdmit},
    {State::kHalfOpen, Event::kTrialFailed, State::kOpen, Step::kPause},
    {State::kHalfOpen, Event::kPinRefused, State::kOpen, Step::kGiveUp},
});

constexpr std::size_t place(State state, Event event) {
  return static_cast<std::size_t>(state) * kEvents + static_cast<std::size_t>(event);
}

constexpr bool is_whole() {
  if (kTable.size() != kStates * kEvents) return false;
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (place(kTable[i].state, kTable[i].event) != i) return false;
  }
  return true;
}
static_assert(is_whole(), "a row for each state and event, in their order");

}  // namespace

std::span<const BreakerRow> breaker_table() { return kTable; }

const BreakerRow& breaker_row(BreakerState state, BreakerEvent event) {
  return kTable[place(state, event)];
}

std::string_view to_string(BreakerState state) {
  switch (state) {
    case State::kClosed:
      return "closed";
    case State::kOpen:
      return "open";
    case State::kHalfOpen:
      return "half-open";
  }
  return "unknown";
}

std::string_view to_string(BreakerEvent event) {
  switch (event) {
    case Event::kBadInput:
      return "bad input";
    case Event::kTokenLost:
      return "token lost";
    case Event::kCallHangs:
      return "call hangs";
    case Event::kTrialDue:
      return "trial due";
    case Event::kTrialSucceeded:
      return "trial succeeded";
    case Event::kTrialFailed:
      return "trial failed";
    case Event::kPinRefused:
      return "PIN refused";
  }
  return "unknown";
}

std::string_view to_string(BreakerStep step) {
  switch (step) {
    case Step::kNothing:
      return "nothing";
    case Step::kShut:
      return "shut";
    case Step::kTry:
      return "try";
    case Step::kPause:
      return "pause";
    case Step::kAdmit:
      return "admit";
    case Step::kGiveUp:
      return "give up";
  }
  return "unknown";
}

std::string print_breaker_table() {
  std::string out;
  for (const BreakerRow& row : kTable) {
    out.append(to_string(row.state)).append(" + ").append(to_string(row.event)).append(" -> ");
    out.append(to_string(row.next)).append(", ").append(to_string(row.step)).append("\n");
  }
  return out;
}

}  // namespace keyhold::token
