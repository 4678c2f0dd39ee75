/* SPDX-License-Identifier: BSD-2-Clause */
/* install_why_nt.c: what Windows says when it does not take a driver, in words: cause and remedy. */
#include "programs/install_why_nt.h"

#define BUILD_MIN     16299  /* version 1709, as in lungfish.inf */
#define PROCESSOR_X64 0x8664 /* IMAGE_FILE_MACHINE_AMD64 */

/* HRESULTs of setup (SPAPI_E_) and its errors of Win32 differ in the upper half. */
#define HALF          UINT32_C(0xffff0000)
#define SETUP_HRESULT UINT32_C(0x800f0000)
#define SETUP_ERROR   UINT32_C(0xe0000000)
#define WIN32_HRESULT UINT32_C(0x80070000)

/* What helps. */
enum remedy {
	REMEDY_NONE, /* it stands in the text */
	REMEDY_SIGN,
	REMEDY_TRUST,
	REMEDY_POLICY, /* what this machine wants of signatures */
	REMEDY_WHOLE,
	REMEDY_LOG,
	REMEDY_RESTART,
};

static const char *remedy_text(const struct lf_machine *machine, enum remedy remedy)
{
	switch (remedy) {
	case REMEDY_SIGN:
		return "take a signed package";
	case REMEDY_TRUST:
		return "add the package's certificate to this machine's Root and TrustedPublisher stores: "
		       "certutil -addstore";
	case REMEDY_POLICY:
		/* Windows ignores test signing while Secure Boot is on, and bcdedit refuses to set it. */
		if (machine->secure_boot)
			return "Secure Boot is on, so that no test signature counts: turn it off in the "
			       "firmware, then bcdedit /set testsigning on, and restart";
		if (machine->integrity_known && !machine->test_signing)
			return "test signing is off: bcdedit /set testsigning on, and restart";
		return remedy_text(machine, REMEDY_TRUST);
	case REMEDY_WHOLE:
		return "unpack the whole package again, and change nothing in it";
	case REMEDY_RESTART:
		return "restart, and try again";
	default:
		return "the end of %windir%\\INF\\setupapi.dev.log says more";
	}
}

static const struct {
	uint32_t code;
	int status;
	enum remedy remedy;
	const char *cause;
} refusals[] = {
	{2, LF_EXIT_NOT_FOUND, REMEDY_WHOLE, "a file of the package is missing"},
	{3, LF_EXIT_NOT_FOUND, REMEDY_WHOLE, "a directory of the package is missing"},
	{5, LF_EXIT_PERMISSION, REMEDY_LOG, "permission denied"},
	{32, LF_EXIT_BUSY, REMEDY_NONE, "a file of it is in use by another program: close that"},
	{112, LF_EXIT_FAILED, REMEDY_NONE, "no space is left on the volume: make some"},
	{259, LF_EXIT_FAILED, REMEDY_LOG, "Windows takes the driver that is there for the better one"},
	{577, LF_EXIT_FAILED, REMEDY_POLICY, "its signature does not count here"},
	{1072, LF_EXIT_BUSY, REMEDY_RESTART, "what was removed before is not quite gone yet"},
	{1223, LF_EXIT_FAILED, REMEDY_NONE, "somebody said no when Windows asked: say yes"},
	{1275, LF_EXIT_FAILED, REMEDY_NONE, "Windows has this driver on its list of those to block"},
	{1459, LF_EXIT_FAILED, REMEDY_TRUST, "its publisher is not one that this machine trusts"},
	{3010, LF_EXIT_BUSY, REMEDY_RESTART, "Windows has to restart first"},
	{0x80092003, LF_EXIT_FAILED, REMEDY_WHOLE, "its catalog cannot be read"},
	{0x80096010, LF_EXIT_FAILED, REMEDY_WHOLE, "its files are not those that were signed"},
	{0x800b0004, LF_EXIT_FAILED, REMEDY_WHOLE, "its signature does not fit its files"},
	{0x800b0100, LF_EXIT_FAILED, REMEDY_SIGN, "it is not signed"},
	{0x800b0101, LF_EXIT_FAILED, REMEDY_SIGN, "the certificate that it is signed with has expired"},
	{0x800b0109, LF_EXIT_FAILED, REMEDY_TRUST,
		"it is signed by somebody whom this machine does not trust"},
	{0x800b010a, LF_EXIT_FAILED, REMEDY_TRUST,
		"it is signed by somebody whom this machine does not know"},
	{0x800b010c, LF_EXIT_FAILED, REMEDY_SIGN, "the certificate that it is signed with was revoked"},
	{0x800b010d, LF_EXIT_FAILED, REMEDY_POLICY, "it has a test signature only"},
	{0x800b0110, LF_EXIT_FAILED, REMEDY_SIGN, "it is signed with a certificate that is not for drivers"},
	{0x800b0111, LF_EXIT_FAILED, REMEDY_SIGN, "this machine distrusts its publisher by name"},
	{0xe0000000, LF_EXIT_FAILED, REMEDY_WHOLE, "it is no setup information file"},
	{0xe0000001, LF_EXIT_FAILED, REMEDY_WHOLE, "it is no setup information file"},
	{0xe0000002, LF_EXIT_FAILED, REMEDY_WHOLE, "it is no setup information file"},
	{0xe0000003, LF_EXIT_FAILED, REMEDY_WHOLE, "it is no setup information file"},
	{0xe0000100, LF_EXIT_FAILED, REMEDY_WHOLE, "it is no setup information file of a driver"},
	{0xe0000101, LF_EXIT_FAILED, REMEDY_WHOLE, "it lacks a section"},
	{0xe0000102, LF_EXIT_FAILED, REMEDY_WHOLE, "it lacks a line"},
	{0xe0000203, LF_EXIT_UNSUPPORTED, REMEDY_LOG, "it has no driver for this Windows"},
	{0xe000020b, LF_EXIT_FAILED, REMEDY_LOG, "the device that was made for it is gone"},
	{0xe0000228, LF_EXIT_UNSUPPORTED, REMEDY_LOG, "it has no driver for this Windows"},
	{0xe000022f, LF_EXIT_FAILED, REMEDY_SIGN, "it has no catalog, so that it is not signed"},
	{0xe0000235, LF_EXIT_UNSUPPORTED, REMEDY_NONE,
		"this program is only emulated here: take that for this processor"},
	{0xe000023d, LF_EXIT_BUSY, REMEDY_LOG, "another device still uses it"},
	{0xe000023f, LF_EXIT_FAILED, REMEDY_SIGN, "its catalog has no signature"},
	{0xe0000240, LF_EXIT_FAILED, REMEDY_SIGN, "a policy of this machine takes no such signature"},
	{0xe0000241, LF_EXIT_FAILED, REMEDY_POLICY, "it has its publisher's signature only"},
	{0xe0000242, LF_EXIT_FAILED, REMEDY_TRUST, "its publisher is not one that this machine trusts"},
	{0xe0000243, LF_EXIT_FAILED, REMEDY_TRUST, "its publisher is not one that this machine trusts"},
	{0xe0000244, LF_EXIT_UNSUPPORTED, REMEDY_SIGN, "it is signed for another version of Windows"},
	{0xe0000246, LF_EXIT_BUSY, REMEDY_RESTART, "Windows is just installing something else"},
	{0xe0000247, LF_EXIT_FAILED, REMEDY_LOG, "the driver store does not take it"},
	{0xe0000248, LF_EXIT_PERMISSION, REMEDY_NONE,
		"a policy of this machine forbids the device: ask who administers it"},
	{0xe0000249, LF_EXIT_PERMISSION, REMEDY_NONE,
		"a policy of this machine forbids the driver: ask who administers it"},
	{0xe000024b, LF_EXIT_FAILED, REMEDY_WHOLE, "its catalog does not have these files"},
	{0xe000024c, LF_EXIT_BUSY, REMEDY_LOG, "the driver store keeps it"},
};

/* Codes come with the same number in three spellings. */
static uint32_t plain_code(uint32_t code)
{
	if ((code & HALF) == SETUP_HRESULT)
		return SETUP_ERROR | (code & ~HALF);
	return (code & HALF) == WIN32_HRESULT ? code & ~HALF : code;
}

static void set_message(
	const struct lf_machine *machine, const char *cause, enum remedy remedy, struct lf_message *message)
{
	if (remedy == REMEDY_NONE)
		lf_message_set(message, "%s", cause);
	else
		lf_message_set(message, "%s: %s", cause, remedy_text(machine, remedy));
}

int lf_why_refused(const struct lf_machine *machine, uint32_t code, struct lf_message *message)
{
	uint32_t plain = plain_code(code);

	for (uint32_t i = 0; i < lf_count_of(refusals); i++) {
		if (refusals[i].code == plain) {
			set_message(machine, refusals[i].cause, refusals[i].remedy, message);
			return refusals[i].status;
		}
	}
	lf_message_set(
		message, "Windows refused it with error 0x%x: %s", code, remedy_text(machine, REMEDY_LOG));
	return LF_EXIT_FAILED;
}

int lf_why_not_here(const struct lf_machine *machine, struct lf_message *message)
{
	if (machine->processor != 0 && machine->processor != PROCESSOR_X64) {
		lf_message_set(
			message, "the driver is for x64 only, and this machine is another: use one of those");
		return LF_EXIT_UNSUPPORTED;
	}
	if (machine->major < 10 || machine->build < BUILD_MIN) {
		lf_message_set(message,
			"this Windows is of build %u.%u.%u: update it to version 1709 (build %u) or "
			"a newer one",
			machine->major, machine->minor, machine->build, BUILD_MIN);
		return LF_EXIT_UNSUPPORTED;
	}
	if (!machine->elevated) {
		lf_message_set(message,
			"permission denied: it is for administrators: run this in an elevated prompt");
		return LF_EXIT_PERMISSION;
	}
	lf_message_set(message, "%s", "");
	return LF_EXIT_DONE;
}

#define BAD_SIGNATURE "Windows does not load the driver with this signature"

/* CM_PROB_ of cfg.h, as the device manager counts them. */
static const struct {
	uint32_t problem;
	enum remedy remedy;
	const char *cause;
} problems[] = {
	{1, REMEDY_NONE, "the device has no driver: lungfish driver install"},
	{3, REMEDY_NONE, "memory is short: close other programs, try again"},
	{10, REMEDY_LOG, "the driver did not start"},
	{14, REMEDY_RESTART, "Windows has to restart first"},
	{18, REMEDY_NONE, "the driver is to be installed again: lungfish driver install"},
	{19, REMEDY_NONE, "its keys in the registry are broken: lungfish driver remove, then install"},
	{21, REMEDY_RESTART, "Windows is still removing the device"},
	{22, REMEDY_NONE, "the device is disabled: enable it in the device manager"},
	{24, REMEDY_NONE, "the device is not there: lungfish driver remove, then install"},
	{28, REMEDY_NONE, "the device has no driver: lungfish driver install"},
	{31, REMEDY_LOG, "the driver did not take the device"},
	{32, REMEDY_NONE, "the service of the driver is disabled: sc config lungfish start= demand"},
	{37, REMEDY_LOG, "the driver did not initialize"},
	{38, REMEDY_RESTART, "an older driver is still loaded"},
	{39, REMEDY_WHOLE, "the driver does not load: its file is missing or broken"},
	{43, REMEDY_LOG, "the driver reported a failure"},
	{45, REMEDY_NONE, "the device is not there: lungfish driver remove, then install"},
	{47, REMEDY_RESTART, "Windows is still ejecting the device"},
	{48, REMEDY_NONE, "Windows has this driver on its list of those to block"},
	{52, REMEDY_POLICY, BAD_SIGNATURE},
};

#define PROBLEM_LOAD          39
#define PROBLEM_ABSENT        45
#define STATUS_BAD_IMAGE_HASH UINT32_C(0xc0000428) /* what the loader says of a signature */

static void explain_problem(
	const struct lf_machine *machine, uint32_t problem, uint32_t nt_status, struct lf_message *message)
{
	if (problem == PROBLEM_LOAD && nt_status == STATUS_BAD_IMAGE_HASH) {
		set_message(machine, BAD_SIGNATURE, REMEDY_POLICY, message);
		return;
	}
	if (problem == PROBLEM_LOAD && machine->memory_integrity) {
		lf_message_set(message,
			"the driver does not load, and memory integrity (HVCI) is on: the event "
			"log CodeIntegrity says whether that refuses it");
		return;
	}
	for (uint32_t i = 0; i < lf_count_of(problems); i++) {
		if (problems[i].problem == problem) {
			set_message(machine, problems[i].cause, problems[i].remedy, message);
			return;
		}
	}
	lf_message_set(message, "look at the device in the device manager");
}

int lf_why_problem(
	const struct lf_machine *machine, uint32_t problem, uint32_t nt_status, struct lf_message *message)
{
	struct lf_message words;

	explain_problem(machine, problem, nt_status, &words);
	if (nt_status != 0)
		lf_message_set(message, "problem %u (status 0x%x): %s", problem, nt_status, words.text);
	else
		lf_message_set(message, "problem %u: %s", problem, words.text);
	return LF_EXIT_FAILED;
}

/* Of a machine that could have it, but for the rights of who asks: he may look without. */
static int no_answer(
	const struct lf_machine *machine, const struct lf_driver *driver, struct lf_message *message)
{
	if (driver->devices == 0) {
		lf_message_set(message, "it is not installed: lungfish driver install%s",
			machine->elevated ? "" : ", in an elevated prompt");
		return LF_EXIT_NO_ADAPTER;
	}
	if (driver->present && driver->problem != LF_NO_PROBLEM)
		return lf_why_problem(machine, driver->problem, driver->status, message);
	if (!driver->present)
		return lf_why_problem(machine, PROBLEM_ABSENT, 0, message);
	if (driver->error == LF_E_PERMISSION) {
		lf_message_set(
			message, "only administrators may ask the adapter: run this in an elevated prompt");
		return LF_EXIT_PERMISSION;
	}
	lf_message_set(message, "the adapter does not answer: %s", remedy_text(machine, REMEDY_LOG));
	return LF_EXIT_NO_ADAPTER;
}

int lf_why_not_usable(
	const struct lf_machine *machine, const struct lf_driver *driver, struct lf_message *message)
{
	int status;

	lf_message_set(message, "%s", "");
	if (driver->answers)
		return LF_EXIT_DONE;
	status = lf_why_not_here(machine, message);
	return status == LF_EXIT_UNSUPPORTED ? status : no_answer(machine, driver, message);
}
