// Counts the primes below a number, with as many threads as the machine has processors.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <vector>

static bool is_prime(unsigned number) {
  if (number < 2) return false;
  for (unsigned factor = 2; factor * factor <= number; factor++) {
    if (number % factor == 0) return false;
  }
  return true;
}

int main(int argc, char** argv) {
  const unsigned limit = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100000;
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  std::atomic<unsigned> next{0};
  std::atomic<unsigned> found{0};
  std::vector<std::thread> workers;
  for (unsigned worker = 0; worker < threads; worker++) {
    workers.emplace_back([&] {
      for (unsigned number = next++; number < limit; number = next++) found += is_prime(number);
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::cout << found << " primes below " << limit << std::endl;
}
