/* SPDX-License-Identifier: BSD-2-Clause */
/* test_install_why.c: what lungfish driver says of Windows' refusals. Numbers are those of winerror.h,
 * setupapi.h and cfg.h. */
#include "programs/install_why_nt.h"
#include "tests/test.h"

#include <string.h>

#define X64   0x8664
#define ARM64 0xaa64

static const struct lf_machine plain = {
	.elevated = true, .major = 10, .build = 19045, .processor = X64, .integrity_known = true};

static bool says(const struct lf_message *message, const char *text)
{
	if (strstr(message->text, text))
		return true;
	lf_log(LF_LOG_ERROR, "no \"%s\" in \"%s\"", text, message->text);
	return false;
}

TEST(a_refusal_says_cause_and_remedy)
{
	static const struct {
		uint32_t code;
		int status;
		const char *text;
	} all[] = {
		{0x800b0100, LF_EXIT_FAILED, "it is not signed: take a signed package"},
		{0x800b0109, LF_EXIT_FAILED, "does not trust: add the package's certificate"},
		{0xe000022f, LF_EXIT_FAILED, "no catalog"},
		{0x800f022f, LF_EXIT_FAILED, "no catalog"},
		{0xe0000242, LF_EXIT_FAILED, "its publisher is not one that this machine trusts"},
		{0x800f0243, LF_EXIT_FAILED, "TrustedPublisher"},
		{0xe0000247, LF_EXIT_FAILED, "setupapi.dev.log"},
		{0xe000024b, LF_EXIT_FAILED, "unpack the whole package"},
		{0xe0000248, LF_EXIT_PERMISSION, "policy"},
		{0xe0000235, LF_EXIT_UNSUPPORTED, "emulated"},
		{2, LF_EXIT_NOT_FOUND, "a file of the package is missing"},
		{0x80070002, LF_EXIT_NOT_FOUND, "a file of the package is missing"},
		{1072, LF_EXIT_BUSY, "restart"},
		{577, LF_EXIT_FAILED, "test signing is off"},
		{0x12345678, LF_EXIT_FAILED, "error 0x12345678"},
	};
	struct lf_message message;

	for (uint32_t i = 0; i < lf_count_of(all); i++) {
		CHECK_EQ(lf_why_refused(&plain, all[i].code, &message), all[i].status);
		CHECK(says(&message, all[i].text));
	}
}

TEST(each_text_fits_its_message)
{
	struct lf_machine machines[] = {plain, plain, plain};
	struct lf_message message;

	machines[1].secure_boot = true;
	machines[2].memory_integrity = machines[2].test_signing = true;
	for (uint32_t m = 0; m < lf_count_of(machines); m++) {
		for (uint32_t low = 0; low < 4096; low++) {
			lf_why_refused(&machines[m], low, &message);
			CHECK(strlen(message.text) + 1 < sizeof(message.text));
			lf_why_refused(&machines[m], 0xe0000000 | low, &message);
			CHECK(strlen(message.text) + 1 < sizeof(message.text));
			lf_why_refused(&machines[m], 0x800b0000 | low, &message);
			CHECK(strlen(message.text) + 1 < sizeof(message.text));
			lf_why_problem(&machines[m], low, 0xc0000428, &message);
			CHECK(strlen(message.text) + 1 < sizeof(message.text));
		}
	}
}

TEST(a_signature_that_does_not_count_asks_for_what_this_machine_lacks)
{
	struct lf_machine machine = plain;
	struct lf_message message;

	CHECK_EQ(lf_why_problem(&machine, 52, 0, &message), LF_EXIT_FAILED);
	CHECK(says(&message, "problem 52: ") && says(&message, "bcdedit /set testsigning on, and restart"));
	machine.secure_boot = true;
	lf_why_problem(&machine, 52, 0, &message);
	CHECK(says(&message, "Secure Boot is on"));
	machine.secure_boot = false;
	machine.test_signing = true;
	lf_why_problem(&machine, 52, 0, &message);
	CHECK(says(&message, "certutil -addstore"));
	machine.integrity_known = machine.test_signing = false;
	lf_why_problem(&machine, 52, 0, &message);
	CHECK(says(&message, "certutil -addstore"));
}

TEST(a_driver_that_does_not_load_may_be_refused_by_memory_integrity)
{
	struct lf_machine machine = plain;
	struct lf_message message;

	lf_why_problem(&machine, 39, 0xc0000428, &message);
	CHECK(says(&message, "status 0xc0000428") && says(&message, "signature"));
	lf_why_problem(&machine, 39, 0, &message);
	CHECK(says(&message, "missing or broken"));
	machine.memory_integrity = true;
	lf_why_problem(&machine, 39, 0, &message);
	CHECK(says(&message, "HVCI"));
	lf_why_problem(&machine, 10, 0, &message);
	CHECK(says(&message, "problem 10: the driver did not start"));
	lf_why_problem(&machine, 31, 0, &message);
	CHECK(says(&message, "problem 31: the driver did not take the device"));
	lf_why_problem(&machine, 99, 0, &message);
	CHECK(says(&message, "problem 99: look at the device"));
}

TEST(a_machine_that_cannot_have_it_is_told_before_anything_is_tried)
{
	struct lf_machine machine = plain;
	struct lf_message message;

	CHECK_EQ(lf_why_not_here(&machine, &message), LF_EXIT_DONE);
	machine.elevated = false;
	CHECK_EQ(lf_why_not_here(&machine, &message), LF_EXIT_PERMISSION);
	CHECK(says(&message, "elevated prompt"));
	machine.build = 16298;
	CHECK_EQ(lf_why_not_here(&machine, &message), LF_EXIT_UNSUPPORTED);
	CHECK(says(&message, "10.0.16298"));
	machine.build = 16299;
	CHECK_EQ(lf_why_not_here(&machine, &message), LF_EXIT_PERMISSION);
	machine.major = 6;
	machine.build = 26000;
	CHECK_EQ(lf_why_not_here(&machine, &message), LF_EXIT_UNSUPPORTED);
	machine = plain;
	machine.processor = ARM64;
	CHECK_EQ(lf_why_not_here(&machine, &message), LF_EXIT_UNSUPPORTED);
	CHECK(says(&message, "x64"));
	machine.processor = 0;
	CHECK_EQ(lf_why_not_here(&machine, &message), LF_EXIT_DONE);
}

TEST(what_is_not_usable_has_a_remedy)
{
	struct lf_machine machine = plain;
	struct lf_driver driver = {.answers = true};
	struct lf_message message;

	CHECK_EQ(lf_why_not_usable(&machine, &driver, &message), LF_EXIT_DONE);
	CHECK_STR(message.text, "");
	driver.answers = false;
	CHECK_EQ(lf_why_not_usable(&machine, &driver, &message), LF_EXIT_NO_ADAPTER);
	CHECK_STR(message.text, "it is not installed: lungfish driver install");
	machine.elevated = false;
	lf_why_not_usable(&machine, &driver, &message);
	CHECK(says(&message, "lungfish driver install, in an elevated prompt"));
	driver.devices = 1;
	lf_why_not_usable(&machine, &driver, &message);
	CHECK(says(&message, "problem 45"));
	driver.present = true;
	driver.error = LF_E_PERMISSION;
	CHECK_EQ(lf_why_not_usable(&machine, &driver, &message), LF_EXIT_PERMISSION);
	driver.problem = 52;
	lf_why_not_usable(&machine, &driver, &message);
	CHECK(says(&message, "problem 52"));
	driver.problem = LF_NO_PROBLEM;
	driver.error = LF_E_IO;
	CHECK_EQ(lf_why_not_usable(&machine, &driver, &message), LF_EXIT_NO_ADAPTER);
	CHECK(says(&message, "does not answer"));
	machine.build = 9600;
	CHECK_EQ(lf_why_not_usable(&machine, &driver, &message), LF_EXIT_UNSUPPORTED);
}
