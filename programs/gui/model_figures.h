/* SPDX-License-Identifier: BSD-2-Clause */
/* model_figures.h: what the list shows of a device, made of what the adapter says. No call of Windows. */
#ifndef LF_GUI_MODEL_FIGURES_H
#define LF_GUI_MODEL_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of transfers: how many since the unit came, or a second. */
struct lf_gui_counts {
	uint64_t reads, writes, read_bytes, written_bytes;
};

/* One device over time. Zeros at first. */
struct lf_gui_pulse {
	bool begun;
	uint64_t taken_ns; /* of before */
	struct lf_gui_counts before, rates;
};

/*
 * now at taken_ns of the adapter's clock. What came in too short a time says nothing by the second: the rates
 * stay as they are until more of it has passed.
 */
void lf_gui_pulse_add(struct lf_gui_pulse *pulse, uint64_t taken_ns, const struct lf_gui_counts *now);

#endif
