// What the main thread does while a service runs: it waits for signals, and tells the supervisor
// how the service is.
#pragma once

#include <functional>

#include "app/running_service.h"
#include "app/supervisor.h"
#include "base/result.h"

namespace keyhold::app {

/// Holds back SIGTERM, SIGINT and SIGHUP for run_service(), in this thread and all it starts.
/// To be called before there are others.
void hold_signals();

enum class ServiceEnd : std::uint8_t { kAsked, kWantsRestart };

/// Until SIGTERM or SIGINT, then drains. The supervisor is told that the service is ready once
/// calls are answered, or once the token has turned out to be absent (it is waited for then), so
/// that what starts after it finds keys where there are some. SIGHUP calls `reload`. The watchdog
/// is answered only while the service is not stuck. The service's failure, if it has one.
///
/// kWantsRestart: the token's module has used up what it may keep in one life of a process, and a
/// supervisor will start another.
Result<ServiceEnd> run_service(RunningService& service, const Supervisor& supervisor,
                               const std::function<void()>& reload);

}  // namespace keyhold::app
