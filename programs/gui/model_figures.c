/* SPDX-License-Identifier: BSD-2-Clause */
/* model_figures.c: rates. */
#include "programs/gui/model_figures.h"

#define NS_IN_S     UINT64_C(1000000000)
#define SHORTEST_NS (NS_IN_S / 2)

/* A count that fell began anew. */
static uint64_t rate(uint64_t before, uint64_t now, uint64_t ns)
{
	uint64_t more = now >= before ? now - before : now;

	return (uint64_t)((double)more * (double)NS_IN_S / (double)ns + 0.5);
}

void lf_gui_pulse_add(struct lf_gui_pulse *pulse, uint64_t taken_ns, const struct lf_gui_counts *now)
{
	const struct lf_gui_counts *before = &pulse->before;
	uint64_t ns = taken_ns - pulse->taken_ns;

	if (pulse->begun && taken_ns >= pulse->taken_ns && ns < SHORTEST_NS)
		return;
	if (pulse->begun && taken_ns > pulse->taken_ns) {
		pulse->rates.reads = rate(before->reads, now->reads, ns);
		pulse->rates.writes = rate(before->writes, now->writes, ns);
		pulse->rates.read_bytes = rate(before->read_bytes, now->read_bytes, ns);
		pulse->rates.written_bytes = rate(before->written_bytes, now->written_bytes, ns);
	}
	pulse->begun = true;
	pulse->taken_ns = taken_ns;
	pulse->before = *now;
}
