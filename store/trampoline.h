/* SPDX-License-Identifier: BSD-2-Clause */
/* trampoline.h: lets io->done submit again without end, though the store completes in place. */
#ifndef LF_STORE_TRAMPOLINE_H
#define LF_STORE_TRAMPOLINE_H

#include "core/io.h"

/* One a thread and kind of store, thread-local. */
struct lf_trampoline {
	struct lf_link waiting; /* io->link: submitted from within a done that start called */
	bool running;
};

static inline void lf_trampoline_run(
	struct lf_trampoline *trampoline, struct lf_io *io, void (*start)(struct lf_io *io))
{
	struct lf_link *link;

	if (trampoline->running) {
		lf_list_append(&trampoline->waiting, &io->link);
		return;
	}
	trampoline->running = true;
	lf_list_init(&trampoline->waiting);
	start(io);
	while ((link = lf_list_take(&trampoline->waiting)))
		start(lf_container(link, struct lf_io, link));
	trampoline->running = false;
}

#endif
