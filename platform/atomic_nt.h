/* SPDX-License-Identifier: BSD-2-Clause */
/* atomic_nt.h: the atomics of platform.h where the compiler is Microsoft's; platform.h includes it. */
#ifndef LF_PLATFORM_ATOMIC_NT_H
#define LF_PLATFORM_ATOMIC_NT_H

/* The compiler's own; no header of theirs is fit for kernel and programs alike. A long has 32 bits there. */
long _InterlockedOr(long volatile *word, long bits);
long _InterlockedAnd(long volatile *word, long bits);
long long _InterlockedExchangeAdd64(long long volatile *word, long long value);
void _ReadWriteBarrier(void);
#pragma intrinsic(_InterlockedOr, _InterlockedAnd, _InterlockedExchangeAdd64, _ReadWriteBarrier)

#if !defined(_M_X64)
#error "loads and stores below are in order on x64 only"
#endif

static inline uint32_t lf_atomic_load_u32(const uint32_t *word)
{
	uint32_t value = *(const volatile uint32_t *)word;
	_ReadWriteBarrier();
	return value;
}

static inline void lf_atomic_store_u32(uint32_t *word, uint32_t value)
{
	_ReadWriteBarrier();
	*(volatile uint32_t *)word = value;
}

static inline uint32_t lf_atomic_or_u32(uint32_t *word, uint32_t bits)
{
	return (uint32_t)_InterlockedOr((long volatile *)word, (long)bits);
}

static inline uint32_t lf_atomic_and_u32(uint32_t *word, uint32_t bits)
{
	return (uint32_t)_InterlockedAnd((long volatile *)word, (long)bits);
}

static inline uint64_t lf_atomic_load_relaxed_u64(const uint64_t *word)
{
	return *(const volatile uint64_t *)word;
}

static inline void lf_atomic_store_relaxed_u64(uint64_t *word, uint64_t value)
{
	*(volatile uint64_t *)word = value;
}

static inline uint64_t lf_atomic_add_relaxed_u64(uint64_t *word, uint64_t value)
{
	return (uint64_t)_InterlockedExchangeAdd64((long long volatile *)word, (long long)value);
}

#endif
