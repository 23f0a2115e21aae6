// Runs one kernel in Metal's language on the CPU. It is included after the kernel's text and after
//
//     constexpr unsigned WIDTH, HEIGHT;        threads of a threadgroup
//     constexpr unsigned SIMD;                 threads of a simdgroup
//     void forget_threadgroup_memory();        fills it with NaN
//     void call(const Thread &, uint32_t **);  calls the kernel with its buffers
//
// Standard input is a list of jobs in 32-bit words: the threadgroups along x, y and z, the number of buffers,
// and each buffer with its length before it. After each job, standard output has the buffers as they are then,
// without their lengths.
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr unsigned THREADS = WIDTH * HEIGHT;

enum class State { Running, AtThreadgroupBarrier, AtSimdgroupBarrier, Done };

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(64 * 1024);
    State state;
    uint32_t handed_over;
};

std::vector<Fiber> fibers(THREADS);
ucontext_t scheduler;
unsigned running;
metal::uint3 group, groups;
uint32_t **buffers;

void run_fiber() {
    call({{group.x, group.y, group.z}, {groups.x, groups.y, groups.z}, {running % WIDTH, running / WIDTH, 0}, running},
         buffers);
    fibers[running].state = State::Done;
    // The scheduler takes over where the fiber's context links to.
}

void wait(State state) {
    fibers[running].state = state;
    swapcontext(&fibers[running].context, &scheduler);
}

// Lets those go on that all wait for the same.
bool release(unsigned first, unsigned count, State state) {
    for (unsigned i = first; i < first + count; i++) {
        if (fibers[i].state != state) return false;
    }
    for (unsigned i = first; i < first + count; i++) fibers[i].state = State::Running;
    return true;
}

void run_group() {
    for (Fiber &fiber : fibers) {
        fiber.state = State::Running;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = &scheduler;
        makecontext(&fiber.context, run_fiber, 0);
    }
    for (;;) {
        for (running = 0; running < THREADS; running++) {
            if (fibers[running].state == State::Running) swapcontext(&scheduler, &fibers[running].context);
        }
        bool all_done = true;
        for (const Fiber &fiber : fibers) all_done &= fiber.state == State::Done;
        if (all_done) return;
        bool any_released = release(0, THREADS, State::AtThreadgroupBarrier);
        for (unsigned first = 0; first < THREADS; first += SIMD) {
            any_released |= release(first, SIMD < THREADS - first ? SIMD : THREADS - first, State::AtSimdgroupBarrier);
        }
        if (!any_released) {
            fprintf(stderr, "a barrier that not every thread reaches\n");
            exit(3);
        }
    }
}

// Less than everything only at the end of the input.
bool read_words(uint32_t *to, size_t count) {
    return fread(to, sizeof *to, count, stdin) == count;
}

}  // namespace

void harness::wait_for_threadgroup() { wait(State::AtThreadgroupBarrier); }
void harness::wait_for_simdgroup() { wait(State::AtSimdgroupBarrier); }
void harness::hand_over(uint32_t word) { fibers[running].handed_over = word; }
uint32_t harness::handed_over(unsigned thread) { return fibers[running / SIMD * SIMD + thread].handed_over; }

int main() {
    uint32_t head[4];
    while (read_words(head, 4)) {
        std::vector<std::pair<uint32_t *, size_t>> storage(head[3]);
        std::vector<uint32_t *> pointers;
        for (auto &[words, length] : storage) {
            uint32_t count;
            if (!read_words(&count, 1)) return 4;
            length = count;
            words = static_cast<uint32_t *>(aligned_alloc(16, (length * 4 + 16) / 16 * 16));
            if (!read_words(words, length)) return 4;
            pointers.push_back(words);
        }
        buffers = pointers.data();
        groups = {head[0], head[1], head[2]};
        for (group.z = 0; group.z < groups.z; group.z++)
            for (group.y = 0; group.y < groups.y; group.y++)
                for (group.x = 0; group.x < groups.x; group.x++) {
                    // A kernel that reads it before it writes it would find anything there.
                    forget_threadgroup_memory();
                    if (HAS_BARRIERS) {
                        run_group();
                    } else {
                        for (running = 0; running < THREADS; running++) run_fiber();
                    }
                }
        for (auto [words, length] : storage) {
            fwrite(words, sizeof *words, length, stdout);
            free(words);
        }
        fflush(stdout);
    }
}
