// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <new>

namespace pantry {
namespace log_detail {

std::atomic<int> threshold{static_cast<int>(LogLevel::kGap)};

namespace {

// Replaced as a whole by set_log_file; a writer keeps the one it took.
struct Output {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger;
};

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("pantry", std::move(sink));
  logger->set_level(spdlog::level::trace);
  logger->set_pattern("[%H:%M:%S.%f] %v");
  logger->flush_on(spdlog::level::trace);
  return logger;
}

Output& output() {
  static Output* const instance = [] {
    auto* created = new Output;
    created->logger = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    return created;
  }();
  return *instance;
}

constexpr const char* kNames[] = {"debug", "info", "client", "gap", "error", "off"};

}  // namespace

void write(LogLevel level, std::string_view room, fmt::string_view format,
           fmt::format_args arguments) noexcept {
  // Many who log may not throw, and none can do anything about it: without memory the line is lost.
  try {
    std::shared_ptr<spdlog::logger> logger;
    {
      Output& out = output();
      std::lock_guard lock(out.mutex);
      logger = out.logger;
    }
    logger->info("{}: {}: {}", kNames[static_cast<int>(level)], room,
                 fmt::vformat(format, arguments));
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace log_detail

void set_log_level(LogLevel level) {
  log_detail::threshold.store(static_cast<int>(level), std::memory_order_relaxed);
}

bool set_log_file(const char* path) {
  try {
    auto logger =
        log_detail::make_logger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
    log_detail::Output& out = log_detail::output();
    std::lock_guard lock(out.mutex);
    out.logger = std::move(logger);
    return true;
  } catch (const spdlog::spdlog_ex&) {
    return false;
  }
}

}  // namespace pantry
