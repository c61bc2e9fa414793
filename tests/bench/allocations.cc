// Preloaded into a server, counts its heap allocations in a file that the bench reads.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

extern "C" {
// glibc's own allocator, behind the names that are replaced here.
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

using Counter = std::atomic<unsigned long>;
constinit Counter unseen{0};
constinit std::atomic<Counter*> counter{&unseen};

__attribute__((constructor)) void open_counter() {
  const char* path = std::getenv("KEYHOLD_BENCH_ALLOCATIONS");
  if (path == nullptr) return;
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void* page = ::mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (page != MAP_FAILED) counter = static_cast<Counter*>(page);
}

void count() { counter.load(std::memory_order_relaxed)->fetch_add(1, std::memory_order_relaxed); }

}  // namespace

#define KEYHOLD_REPLACES extern "C" __attribute__((visibility("default")))

KEYHOLD_REPLACES void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
KEYHOLD_REPLACES void* calloc(std::size_t many, std::size_t size) {
  count();
  return __libc_calloc(many, size);
}
KEYHOLD_REPLACES void* realloc(void* memory, std::size_t size) {
  count();
  return __libc_realloc(memory, size);
}
KEYHOLD_REPLACES void* memalign(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
KEYHOLD_REPLACES void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
KEYHOLD_REPLACES int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
