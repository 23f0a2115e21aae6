// bcryptprimitives.dll for Wine before 8.15, which has none: the one function that Rust's library asks of it.
// Without it no program of Rust starts there.

#include <windows.h>

#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *bytes, SIZE_T n_bytes) {
    return RtlGenRandom(bytes, (ULONG)n_bytes);
}
