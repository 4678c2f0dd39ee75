/* SPDX-License-Identifier: BSD-2-Clause */
/* call.h: answering a request: what handler.c and facts.c share. */
#ifndef LF_CONTROL_CALL_H
#define LF_CONTROL_CALL_H

#include "control/handler.h"

/* The one reply that there is room for, all zero. */
union lf_control_reply *lf_call_reply(struct lf_call *call);
/* The reply, without its records, which are in place; the call is over. */
void lf_call_answer(struct lf_call *call, union lf_control_reply *reply);
void lf_call_fail(struct lf_call *call, enum lf_control_status status, const struct lf_message *message);
/* NULL: there is none of that name, and the call is over. */
struct lf_device *lf_call_find(struct lf_call *call, const char *id, const char *path);

void lf_facts_identify(struct lf_call *call);
void lf_facts_list(struct lf_call *call, const struct lf_control_list *request);
void lf_facts_status(struct lf_call *call);
void lf_facts_sessions(struct lf_call *call, const struct lf_control_after *request);
void lf_facts_stats(struct lf_call *call, const struct lf_control_select *request);
void lf_facts_reservation(struct lf_call *call, const struct lf_control_select *request);

#endif
