/* Hides instruction sets from a process: CPUID answers without the bits that CPU_MASK names.
 *
 * Loaded by LD_PRELOAD. The kernel makes CPUID fault (arch_prctl(2), ARCH_SET_CPUID), the fault's
 * handler executes it, clears the bits and goes on behind it. So runtimes choose the kernels that
 * they would on the lesser CPU, at full speed. Needs x86-64 Linux and a CPU with CPUID faulting.
 *
 * CPU_MASK: five hexadecimal words, bits to clear of leaf 7: EBX, ECX, EDX of subleaf 0, EAX and
 * EDX of subleaf 1.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define FAILED 127

static unsigned ebx0, ecx0, edx0, eax1, edx1;
static int armed;
static struct sigaction before;
static int (*real_sigaction)(int, const struct sigaction *, struct sigaction *);

static void answer(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX];
    unsigned a, b, c, d;

    if (info->si_code != SI_KERNEL || code[0] != 0x0f || code[1] != 0xa2) {
        /* A fault of the program's own: it happens again, without this handler. */
        real_sigaction(number, &before, NULL);
        return;
    }
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, subleaf, a, b, c, d);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    if (leaf == 7 && subleaf == 0) {
        b &= ~ebx0;
        c &= ~ecx0;
        d &= ~edx0;
    } else if (leaf == 7 && subleaf == 1) {
        a &= ~eax1;
        d &= ~edx1;
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

/* Whoever installs a handler for SIGSEGV after this one (a runtime's crash report) gets none. */
int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    if (!real_sigaction)
        real_sigaction = dlsym(RTLD_NEXT, "sigaction");
    if (number == SIGSEGV && armed && action) {
        if (old)
            memset(old, 0, sizeof *old);
        return 0;
    }
    return real_sigaction(number, action, old);
}

__attribute__((constructor)) static void arm(void)
{
    /* On the stack that the program runs on: OpenVINO's CPU plugin gives threads an alternate one,
     * and may leave it to them once its memory is gone. */
    struct sigaction own = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    const char *mask = getenv("CPU_MASK");

    if (!mask || sscanf(mask, "%x %x %x %x %x", &ebx0, &ecx0, &edx0, &eax1, &edx1) != 5) {
        fprintf(stderr, "cpu_mask: CPU_MASK must hold five hexadecimal words\n");
        _exit(FAILED);
    }
    sigaction(SIGSEGV, &own, &before);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0)) {
        perror("cpu_mask: this machine cannot make CPUID fault");
        _exit(FAILED);
    }
    armed = 1;
}
