/* SPDX-License-Identifier: BSD-2-Clause */
/* test_control_nt.c: what control has of its own in the Windows kernel and needs no Windows: paths, SHA-256.
 */
#include "control/path.h"
#include "control/sha256.h"
#include "tests/test.h"

#include <nettle/sha2.h>
#include <string.h>

TEST(the_digest_is_the_one_of_nettle)
{
	static char text[300];
	const char *const texts[] = {"lungfish unit 1", "", text};
	uint8_t ours[LF_SHA256_BYTES], theirs[SHA256_DIGEST_SIZE];
	struct sha256_ctx hash;

	/* Every length of the last block, and more blocks than one. */
	for (size_t length = 0; length < sizeof(text) - 1; length++) {
		text[length] = (char)(length * 7 + 1) ? (char)(length * 7 + 1) : 'x';
		sha256_init(&hash);
		for (uint32_t i = 0; i < lf_count_of(texts); i++)
			sha256_update(&hash, strlen(texts[i]) + 1, (const uint8_t *)texts[i]);
		sha256_digest(&hash, sizeof(theirs), theirs);
		lf_sha256_of_texts(texts, lf_count_of(texts), ours);
		CHECK(memcmp(ours, theirs, sizeof(ours)) == 0);
	}
}

TEST(paths_of_drives_and_shares_are_taken)
{
	static const char *const good[] = {"\\??\\C:\\disk.img", "\\??\\z:\\a\\b c\\.hidden",
		"\\??\\C:\\d\xc3\xa9j\xc3\xa0 vu.iso", "\\??\\UNC\\server\\share\\disk.img",
		"\\??\\Volume{1-2}\\x", "\\??\\unc\\10.0.0.1\\c$\\..x\\y"};

	for (uint32_t i = 0; i < lf_count_of(good); i++)
		CHECK(!lf_path_problem(good[i]));
}

TEST(paths_that_could_mean_another_file_are_refused)
{
	static const char *const bad[] = {"", "disk.img", "C:\\disk.img", "/disk.img", "\\disk.img",
		"\\Device\\Harddisk0\\Partition1\\x", "\\??\\", "\\??\\C:", "\\??\\C:\\", "\\??\\C:disk.img",
		"\\??\\CD:\\x", "\\??\\1:\\x", "\\??\\pipe\\x", "\\??\\Volume{1}", "\\??\\Volume{1}\\",
		"\\??\\Volume{1}:x", "\\??\\GLOBALROOT\\x", "\\??\\C:\\a\\..\\b", "\\??\\C:\\.\\b",
		"\\??\\C:\\a\\", "\\??\\C:\\\\a", "\\??\\C:\\a\\\\b", "\\??\\C:\\a.", "\\??\\C:\\a \\b",
		"\\??\\C:\\a.\\b", "\\??\\C:\\a:stream", "\\??\\C:\\a::$DATA", "\\??\\C:\\a/b",
		"\\??\\C:\\a*", "\\??\\C:\\a?", "\\??\\C:\\a\"", "\\??\\C:\\<a", "\\??\\C:\\a|b",
		"\\??\\C:\\a\tb", "\\??\\UNC\\", "\\??\\UNC\\server", "\\??\\UNC\\server\\share",
		"\\??\\UNC\\server\\share\\", "\\??\\UNC\\\\share\\a", "\\??\\UNC\\..\\C$\\a",
		"\\??\\UNC\\;LanmanRedirector\\server\\share\\a", "\\\\server\\share\\a", "\\\\?\\C:\\a"};

	for (uint32_t i = 0; i < lf_count_of(bad); i++) {
		if (!lf_path_problem(bad[i]))
			lf_log(LF_LOG_ERROR, "taken: %s", bad[i]);
		CHECK(lf_path_problem(bad[i]) != NULL);
	}
}

TEST(a_problem_says_what_to_do)
{
	CHECK(strstr(lf_path_problem("\\??\\UNC\\server\\share"), "name a file"));
	CHECK(strstr(lf_path_problem("C:\\x"), "begins with"));
	CHECK(strstr(lf_path_problem("\\??\\C:\\a:b"), "part that is no name"));
}

TEST(the_base_of_a_path_is_behind_its_last_backslash)
{
	CHECK_STR(lf_path_base("\\??\\C:\\images\\disk.img"), "disk.img");
	CHECK_STR(lf_path_base("cdrom"), "cdrom");
}

TEST(paths_that_differ_in_ascii_case_are_one)
{
	CHECK(lf_path_is_same("\\??\\C:\\Images\\A.img", "\\??\\c:\\images\\a.IMG"));
	CHECK(!lf_path_is_same("\\??\\C:\\a", "\\??\\C:\\ab"));
	CHECK(!lf_path_is_same("\\??\\C:\\ab", "\\??\\C:\\a"));
}
