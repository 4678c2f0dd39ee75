/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_completion.c: completion: a script for bash, written from the table of verbs and options. */
#include "programs/lungfish_completion.h"

#include <string.h>

/*
 * What the script does: it finds the verb among the words before the cursor, passing over options and their
 * values, and offers what is due there. IDs are asked of the adapter when they are wanted.
 */
static const char helpers[] =
	"# bash completion for lungfish; written by lungfish completion bash\n"
	"_lungfish_offer()\n"
	"{\n"
	"	local word\n"
	"	while IFS= read -r word; do\n"
	"		[[ $word && $word == \"$current\"* ]] && COMPREPLY+=(\"$word\")\n"
	"	done\n"
	"}\n"
	"_lungfish_files()\n"
	"{\n"
	"	compopt -o filenames 2>/dev/null\n"
	"	_lungfish_offer < <(compgen -f -- \"$current\")\n"
	"}\n"
	"_lungfish_ask()\n"
	"{\n"
	"	local socket=()\n"
	"	[[ $given ]] && socket=(--socket \"$given\")\n"
	"	_lungfish_offer < <(\"${COMP_WORDS[0]}\" \"$@\" \"${socket[@]}\" 2>/dev/null)\n"
	"}\n"
	"_lungfish()\n"
	"{\n"
	"	local current=${COMP_WORDS[COMP_CWORD]} option= verb= given= operands=0 at word\n"
	"	COMPREPLY=()\n"
	"	for ((at = 1; at < COMP_CWORD; at++)); do\n"
	"		word=${COMP_WORDS[at]}\n"
	"		if [[ $word == = ]]; then\n"
	"			continue\n"
	"		elif [[ $option ]]; then\n"
	"			[[ $option == --socket ]] && given=$word\n"
	"			option=\n"
	"		elif [[ $word == -- && $verb == run ]]; then\n"
	"			if ((at + 1 < COMP_CWORD)); then\n"
	"				_lungfish_files\n"
	"			else\n"
	"				_lungfish_offer < <(compgen -c -- \"$current\")\n"
	"			fi\n"
	"			return\n"
	"		elif [[ $word == -* ]]; then\n"
	"			case $word in\n";

static const char between_options_and_verbs[] = "			esac\n"
						"		else\n"
						"			case $verb in\n"
						"			'') verb=$word ;;\n";

static const char between_words_and_values[] = "			*) ((++operands)) ;;\n"
					       "			esac\n"
					       "		fi\n"
					       "	done\n"
					       "	[[ $current == = ]] && current=\n"
					       "	if [[ $option ]]; then\n"
					       "		case $option in\n";

bool lf_option_is_first(uint32_t index)
{
	for (uint32_t i = 0; i < index; i++) {
		if (strcmp(lf_table_option(i)->name, lf_table_option(index)->name) == 0)
			return false;
	}
	return true;
}

bool lf_verb_is_first(uint32_t index)
{
	return index == 0 || strcmp(lf_table_verb(index - 1)->name, lf_table_verb(index)->name) != 0;
}

/* Those whose next word is a value. */
static void print_options_with_values(void)
{
	const struct lf_option *option;

	for (uint32_t i = 0; (option = lf_table_option(i)); i++) {
		if (!option->value || !lf_option_is_first(i))
			continue;
		printf("\t\t\t--%s", option->name);
		if (option->letter)
			printf("|-%c|-[!-]*%c", option->letter, option->letter);
		printf(") option=--%s ;;\n", option->name);
	}
}

bool lf_value_word(const char **value, const char **word, int *length)
{
	while (**value) {
		*word = *value;
		*length = (int)strcspn(*value, "|");
		*value += *length;
		*value += **value == '|';
		if (**word < 'A' || **word > 'Z')
			return true;
	}
	return false;
}

static void print_values(void)
{
	const struct lf_option *option;
	const char *value, *word;
	int length;

	for (uint32_t i = 0; (option = lf_table_option(i)); i++) {
		if (!option->value || !lf_option_is_first(i))
			continue;
		if (strchr(option->value, '|')) {
			printf("\t\t--%s) _lungfish_offer <<< $'", option->name);
			for (value = option->value; lf_value_word(&value, &word, &length);)
				printf("%.*s\\n", length, word);
			printf("' ;;\n");
		} else if (strcmp(option->value, "PATH") == 0) {
			printf("\t\t--%s) _lungfish_files ;;\n", option->name);
		} else if (strcmp(option->value, "COLUMNS") == 0) {
			printf("\t\t--%s) [[ $verb == list ]] && _lungfish_offer <<< $'", option->name);
			for (uint32_t j = 0; j < lf_device_table.count; j++)
				printf("%s\\n", lf_device_table.columns[j].name);
			printf("' ;;\n");
		}
	}
	printf("\t\tesac\n\telif [[ $current == -* ]]; then\n\t\tcase $verb in\n");
}

static void print_options_of(uint32_t bit)
{
	const struct lf_option *option;

	printf("_lungfish_offer <<< $'");
	for (uint32_t i = 0; (option = lf_table_option(i)); i++) {
		if (option->verbs & (bit | LF_VERB_EVERY))
			printf("--%s\\n", option->name);
	}
	printf("' ;;\n");
}

static void print_operand(const char *condition, enum lf_operand what)
{
	const struct lf_verb *verb;

	switch (what) {
	case LF_OPERAND_IMAGE:
		printf("\t\t\t%s_lungfish_files\n", condition);
		break;
	case LF_OPERAND_DEVICE:
		printf("\t\t\t%s_lungfish_ask list -rno ID\n", condition);
		break;
	case LF_OPERAND_SESSION:
		printf("\t\t\t%s_lungfish_ask session list -rno ID\n", condition);
		break;
	case LF_OPERAND_VERB:
		printf("\t\t\t%s_lungfish_offer <<< $'", condition);
		for (uint32_t i = 0; (verb = lf_table_verb(i)); i++) {
			if (lf_verb_is_first(i))
				printf("%s\\n", verb->name);
		}
		printf("'\n");
		break;
	default:
		break;
	}
}

/* What stands where no option does: the verb, its second word, its operands. */
static void print_operands(void)
{
	const struct lf_verb *verb;
	char name[LF_VERB_NAME_ROOM], condition[64];

	printf("\t\tesac\n\telse\n\t\tcase $verb in\n\t\t'')\n");
	print_operand("", LF_OPERAND_VERB);
	printf("\t\t\t;;\n");
	for (uint32_t i = 0; (verb = lf_table_verb(i)); i++) {
		if (verb->sub && lf_verb_is_first(i)) {
			printf("\t\t%s)\n\t\t\t_lungfish_offer <<< $'", verb->name);
			for (uint32_t j = i;
				lf_table_verb(j) && strcmp(lf_table_verb(j)->name, verb->name) == 0; j++)
				printf("%s\\n", lf_table_verb(j)->sub);
			printf("'\n\t\t\t;;\n");
		}
		if (verb->most == 0)
			continue;
		printf("\t\t'%s')\n", lf_verb_name(verb, name, sizeof(name)));
		print_operand("((operands > 0)) || ", verb->first);
		snprintf(condition, sizeof(condition), "((operands < 1 || operands >= %d)) || ", verb->most);
		print_operand(condition, verb->rest);
		printf("\t\t\t;;\n");
	}
	printf("\t\tesac\n\tfi\n}\ncomplete -F _lungfish lungfish\n");
}

static void print_bash(void)
{
	const struct lf_verb *verb;
	char name[LF_VERB_NAME_ROOM];

	fputs(helpers, stdout);
	print_options_with_values();
	fputs(between_options_and_verbs, stdout);
	for (uint32_t i = 0; (verb = lf_table_verb(i)); i++) {
		if (verb->sub && lf_verb_is_first(i))
			printf("\t\t\t%s) verb+=\" $word\" ;;\n", verb->name);
	}
	fputs(between_words_and_values, stdout);
	print_values();
	printf("\t\t'') ");
	print_options_of(0);
	for (uint32_t i = 0; (verb = lf_table_verb(i)); i++) {
		printf("\t\t'%s') ", lf_verb_name(verb, name, sizeof(name)));
		print_options_of(verb->bit);
	}
	print_operands();
}

int lf_verb_completion(const struct lf_command_line *line)
{
	if (strcmp(line->verb->sub, "powershell") == 0)
		lf_completion_powershell();
	else
		print_bash();
	return lf_output_end(line, LF_EXIT_DONE);
}
