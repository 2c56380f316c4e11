/* What Go's runtime wants of bcryptprimitives.dll, a library that wine lacks
   before release 9. For the tests only: never ship it. */
#include <windows.h>

#define CHUNK 0x40000000u

BOOLEAN WINAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom of advapi32 */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE at, SIZE_T left)
{
	while (left > 0) {
		ULONG n = left > CHUNK ? CHUNK : (ULONG)left;
		if (!SystemFunction036(at, n))
			return FALSE;
		at += n;
		left -= n;
	}
	return TRUE;
}

BOOL WINAPI DllMain(HINSTANCE library, DWORD reason, LPVOID reserved)
{
	return TRUE;
}
