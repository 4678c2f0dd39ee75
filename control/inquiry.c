/* SPDX-License-Identifier: BSD-2-Clause */
/* inquiry.c: SCSI commands that read facts of a unit: which ones, their way to the unit and home. */
#include "control/inquiry.h"

#define INQUIRIES_MAX  64 /* also those that nobody waits for any more */
#define ATTENTIONS_MAX 16 /* more than a unit has kinds of them */
#define UNIT_ATTENTION 0x6
#define ANY_ACTION     0xff

static const struct {
	uint8_t opcode, service_action;
} allowed[] = {
	{0x12, ANY_ACTION}, /* INQUIRY */
	{0x5a, ANY_ACTION}, /* MODE SENSE (10) */
	{0x9e, 0x10},       /* READ CAPACITY (16) */
	{0xa3, 0x0c},       /* REPORT SUPPORTED OPERATION CODES */
};

bool lf_inquiry_is_allowed(const uint8_t *cdb, uint32_t cdb_length)
{
	for (uint32_t i = 0; cdb_length >= 2 && i < lf_count_of(allowed); i++) {
		if (cdb[0] == allowed[i].opcode && (allowed[i].service_action == ANY_ACTION ||
							   (cdb[1] & 0x1f) == allowed[i].service_action))
			return true;
	}
	return false;
}

void lf_inquirer_init(struct lf_inquirer *inquirer, struct lf_adapter *adapter, struct lf_loop *loop)
{
	memset(inquirer, 0, sizeof(*inquirer));
	inquirer->adapter = adapter;
	inquirer->loop = loop;
	lf_list_init(&inquirer->nexuses);
	lf_list_init(&inquirer->inquiries);
}

static void release(struct lf_inquiry *inquiry)
{
	lf_list_remove(&inquiry->link);
	inquiry->inquirer->count--;
	lf_free(inquiry);
}

/* The loop may have stopped before the last posts ran. */
void lf_inquirer_fini(struct lf_inquirer *inquirer)
{
	lf_list_each(link, next, &inquirer->inquiries) release(lf_container(link, struct lf_inquiry, link));
	lf_list_each(link, next, &inquirer->nexuses)
	{
		struct lf_inquiry_nexus *nexus = lf_container(link, struct lf_inquiry_nexus, link);
		lf_list_remove(link);
		lf_nexus_close(nexus->nexus);
		lf_free(nexus);
	}
}

/* SPC-4 4.5: the sense key of fixed format, and of descriptor format. */
static bool is_attention(const struct lf_request *request)
{
	if (request->status != LF_STATUS_CHECK_CONDITION || request->sense_length < 3)
		return false;
	return ((request->sense[0] & 0x7e) == 0x70 ? request->sense[2] & 0x0f : request->sense[1] & 0x0f) ==
	       UNIT_ATTENTION;
}

static void send_command(struct lf_inquiry *inquiry)
{
	inquiry->request.tag = ++inquiry->inquirer->last_tag;
	inquiry->request.data_length = sizeof(inquiry->data);
	lf_execute(&inquiry->request);
}

/* What the unit wants to say first was said to nobody in particular: the question is put again. */
static void came_home(struct lf_post *post)
{
	struct lf_inquiry *inquiry = lf_container(post, struct lf_inquiry, post);

	if (inquiry->ended && is_attention(&inquiry->request) && inquiry->attentions < ATTENTIONS_MAX) {
		inquiry->attentions++;
		send_command(inquiry);
		return;
	}
	if (inquiry->ended)
		inquiry->ended(inquiry);
	release(inquiry);
}

/* Any thread, and perhaps still within lf_execute. */
static void command_done(struct lf_request *request)
{
	struct lf_inquiry *inquiry = lf_container(request, struct lf_inquiry, request);

	lf_loop_post(inquiry->inquirer->loop, &inquiry->post);
}

static struct lf_inquiry_nexus *find_nexus(struct lf_inquirer *inquirer, uint32_t target)
{
	lf_list_each(link, next, &inquirer->nexuses)
	{
		struct lf_inquiry_nexus *nexus = lf_container(link, struct lf_inquiry_nexus, link);
		if (nexus->target == target)
			return nexus;
	}
	return NULL;
}

/* NULL: memory is short. */
static struct lf_nexus *open_nexus(struct lf_inquirer *inquirer, uint32_t target)
{
	struct lf_nexus_options options = {.target = target, .initiator = "control"};
	struct lf_inquiry_nexus *nexus = find_nexus(inquirer, target);

	if (nexus)
		return nexus->nexus;
	nexus = lf_alloc(sizeof(*nexus));
	if (!nexus)
		return NULL;
	nexus->target = target;
	nexus->nexus = lf_nexus_open(inquirer->adapter, &options);
	if (!nexus->nexus) {
		lf_free(nexus);
		return NULL;
	}
	lf_list_append(&inquirer->nexuses, &nexus->link);
	return nexus->nexus;
}

enum lf_control_status lf_inquiry_begin(struct lf_inquirer *inquirer, uint32_t target, uint32_t lun,
	const struct lf_control_inquire *what, void (*ended)(struct lf_inquiry *inquiry), void *context,
	struct lf_inquiry **begun, struct lf_message *message)
{
	struct lf_inquiry *inquiry = NULL;
	struct lf_nexus *nexus;

	if (inquirer->count >= INQUIRIES_MAX) {
		lf_message_set(message, "too many requests are outstanding: try again");
		return LF_CONTROL_BUSY;
	}
	nexus = open_nexus(inquirer, target);
	if (nexus)
		inquiry = lf_alloc(sizeof(*inquiry));
	if (!inquiry) {
		lf_message_set(message, "out of memory");
		return LF_CONTROL_FAILED;
	}
	inquiry->inquirer = inquirer;
	inquiry->ended = ended;
	inquiry->context = context;
	inquiry->post.run = came_home;
	inquiry->segment.base = inquiry->data;
	inquiry->segment.length = sizeof(inquiry->data);
	inquiry->request.nexus = nexus;
	inquiry->request.lun = (uint64_t)(lun < 256 ? lun : 0x4000 | lun) << 48; /* SAM-5 4.7.7 */
	memcpy(inquiry->request.cdb, what->cdb.bytes, what->cdb.length);
	inquiry->request.cdb_length = (uint8_t)what->cdb.length;
	inquiry->request.offered_direction = LF_DIRECTION_IN;
	inquiry->request.offered_length = sizeof(inquiry->data);
	inquiry->request.segments = &inquiry->segment;
	inquiry->request.segment_count = 1;
	inquiry->request.done = command_done;
	lf_list_append(&inquirer->inquiries, &inquiry->link);
	inquirer->count++;
	*begun = inquiry;
	send_command(inquiry);
	return LF_CONTROL_OK;
}

void lf_inquiry_forget(struct lf_inquiry *inquiry)
{
	inquiry->ended = NULL;
}
