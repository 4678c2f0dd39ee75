/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_completion_powershell.c: completion powershell: the tables of verbs and options, and what uses
 * them. */
#include "programs/lungfish_completion.h"

#include <string.h>

static const char before_tables[] =
	"# PowerShell completion for lungfish; written by lungfish completion powershell\n"
	"Register-ArgumentCompleter -Native -CommandName @('lungfish', 'lungfish.exe') -ScriptBlock {\n"
	"    param($wordToComplete, $commandAst, $cursorPosition)\n";

/*
 * What the script does: it finds the verb among the words before the cursor, passing over options and their
 * values, and offers what is due there. Where that is nothing PowerShell offers files of its own accord.
 * Tables of PowerShell know no case, but options do.
 */
static const char after_tables[] =
	"    $verb = ''\n"
	"    $option = ''\n"
	"    $socket = ''\n"
	"    $operands = 0\n"
	"    $behind = -1\n"
	"    $words = @(foreach ($element in $commandAst.CommandElements) {\n"
	"            if ($element.Extent.EndOffset -lt $cursorPosition) {\n"
	"                if ($element -is "
	"[System.Management.Automation.Language.StringConstantExpressionAst]) {\n"
	"                    $element.Value\n"
	"                } else {\n"
	"                    $element.Extent.Text\n"
	"                }\n"
	"            }\n"
	"        })\n"
	"    for ($at = 1; $at -lt $words.Count; $at++) {\n"
	"        $word = $words[$at]\n"
	"        if ($behind -ge 0) {\n"
	"            $behind++\n"
	"        } elseif ($option) {\n"
	"            if ($option -ceq '--socket') { $socket = $word }\n"
	"            $option = ''\n"
	"        } elseif ($word -ceq '--' -and $verb -ceq 'run') {\n"
	"            $behind = 0\n"
	"        } elseif ($word -cmatch '^--socket=(.*)$') {\n"
	"            $socket = $Matches[1]\n"
	"        } elseif ($word.StartsWith('-')) {\n"
	"            foreach ($pattern in $valued.Keys) {\n"
	"                if ($word -cmatch $pattern) { $option = $valued[$pattern] }\n"
	"            }\n"
	"        } elseif (-not $verb) {\n"
	"            $verb = $word\n"
	"        } elseif ($groups -ccontains $verb) {\n"
	"            $verb = \"$verb $word\"\n"
	"        } else {\n"
	"            $operands++\n"
	"        }\n"
	"    }\n"
	"    $current = $wordToComplete.Trim('\"', \"'\")\n"
	"    $prefix = ''\n"
	"    if (-not $option -and $current -cmatch '^(--[a-z-]+)=(.*)$') {\n"
	"        $option = $Matches[1]\n"
	"        $current = $Matches[2]\n"
	"        $prefix = \"$option=\"\n"
	"    }\n"
	"    $offer = {\n"
	"        param($texts, $about)\n"
	"        foreach ($text in $texts) {\n"
	"            if ($text -and $text.StartsWith($current, [System.StringComparison]::Ordinal)) {\n"
	"                $tip = if ($about -and $about[$text]) { $about[$text] } else { $text }\n"
	"                [System.Management.Automation.CompletionResult]::new(\n"
	"                    $prefix + $text, $text, 'ParameterValue', $tip)\n"
	"            }\n"
	"        }\n"
	"    }\n"
	"    $files = {\n"
	"        foreach ($file in "
	"[System.Management.Automation.CompletionCompleters]::CompleteFilename($current)) {\n"
	"            [System.Management.Automation.CompletionResult]::new(\n"
	"                $prefix + $file.CompletionText, $file.ListItemText, $file.ResultType, "
	"$file.ToolTip)\n"
	"        }\n"
	"    }\n"
	"    $ask = {\n"
	"        $arguments = @($args)\n"
	"        if ($socket) { $arguments += @('--socket', $socket) }\n"
	"        $command = $commandAst.GetCommandName()\n"
	"        & $offer @(& $command @arguments 2>$null) $null\n"
	"    }\n"
	"    if ($behind -eq 0) {\n"
	"        [System.Management.Automation.CompletionCompleters]::CompleteCommand($current)\n"
	"    } elseif ($behind -gt 0) {\n"
	"        & $files\n"
	"    } elseif ($option) {\n"
	"        if ($paths -ccontains $option) {\n"
	"            & $files\n"
	"        } elseif ($option -ceq '--output' -and $verb -ceq 'list') {\n"
	"            & $offer $columns $null\n"
	"        } else {\n"
	"            & $offer $values[$option] $null\n"
	"        }\n"
	"    } elseif ($current.StartsWith('-')) {\n"
	"        if ($options[$verb]) { & $offer $options[$verb].Keys $options[$verb] }\n"
	"        & $offer $every.Keys $every\n"
	"    } elseif (-not $verb) {\n"
	"        & $offer $verbs.Keys $verbs\n"
	"    } elseif ($groups -ccontains $verb) {\n"
	"        & $offer $seconds[$verb].Keys $seconds[$verb]\n"
	"    } elseif ($takes[$verb]) {\n"
	"        $first, $rest, $most = $takes[$verb]\n"
	"        $what = if ($operands -eq 0) { $first } elseif ($operands -lt $most) { $rest } else { '' }\n"
	"        switch ($what) {\n"
	"            'image' { & $files }\n"
	"            'device' { & $ask 'list' '-rno' 'ID' }\n"
	"            'session' { & $ask 'session' 'list' '-rno' 'ID' }\n"
	"            'verb' { & $offer $verbs.Keys $verbs }\n"
	"        }\n"
	"    }\n"
	"}\n";

static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			putchar('\'');
		putchar(*text);
	}
	putchar('\'');
}

static void print_pair(const char *indent, const char *dashes, const char *key, const char *value)
{
	printf("%s'%s%s' = ", indent, dashes, key);
	print_quoted(value);
	putchar('\n');
}

/* First words; of those with second ones, what is special about them stands there. */
static void print_verbs(void)
{
	const struct lf_verb *verb;

	printf("    $verbs = [ordered]@{\n");
	for (uint32_t i = 0; (verb = lf_table_verb(i)); i++) {
		if (lf_verb_is_first(i))
			print_pair("        ", "", verb->name, verb->sub ? verb->name : verb->help);
	}
	printf("    }\n    $seconds = @{\n");
	for (uint32_t i = 0; (verb = lf_table_verb(i)); i++) {
		if (!verb->sub)
			continue;
		if (lf_verb_is_first(i))
			printf("        '%s' = [ordered]@{\n", verb->name);
		print_pair("            ", "", verb->sub, verb->help);
		if (!lf_table_verb(i + 1) || lf_verb_is_first(i + 1))
			printf("        }\n");
	}
	printf("    }\n    $groups = @($seconds.Keys)\n");
}

/* Options of one verb, or with LF_VERB_EVERY those that all verbs have. */
static void print_options_of(const char *indent, uint32_t bit)
{
	const struct lf_option *option;

	for (uint32_t i = 0; (option = lf_table_option(i)); i++) {
		if ((option->verbs & bit) == bit)
			print_pair(indent, "--", option->name, option->help);
	}
}

static void print_options(void)
{
	const struct lf_verb *verb;
	char name[LF_VERB_NAME_ROOM];

	printf("    $every = [ordered]@{\n");
	print_options_of("        ", LF_VERB_EVERY);
	printf("    }\n    $options = @{\n");
	for (uint32_t i = 0; (verb = lf_table_verb(i)); i++) {
		printf("        '%s' = [ordered]@{\n", lf_verb_name(verb, name, sizeof(name)));
		print_options_of("            ", verb->bit);
		printf("        }\n");
	}
	printf("    }\n");
}

/* Those whose next word is a value, by what they look like, and the values. */
static void print_values(void)
{
	const struct lf_option *option;
	const char *value, *word;
	int length;

	printf("    $valued = @{\n");
	for (uint32_t i = 0; (option = lf_table_option(i)); i++) {
		if (!option->value || !lf_option_is_first(i))
			continue;
		if (option->letter)
			printf("        '^(--%s|-[A-Za-z]*%c)$' = '--%s'\n", option->name, option->letter,
				option->name);
		else
			printf("        '^--%s$' = '--%s'\n", option->name, option->name);
	}
	printf("    }\n    $values = @{\n");
	for (uint32_t i = 0; (option = lf_table_option(i)); i++) {
		if (!option->value || !lf_option_is_first(i) || !strchr(option->value, '|'))
			continue;
		printf("        '--%s' = @(", option->name);
		value = option->value;
		for (const char *comma = ""; lf_value_word(&value, &word, &length); comma = ", ")
			printf("%s'%.*s'", comma, length, word);
		printf(")\n");
	}
	printf("    }\n    $paths = @(");
	for (uint32_t i = 0, count = 0; (option = lf_table_option(i)); i++) {
		if (option->value && strcmp(option->value, "PATH") == 0 && lf_option_is_first(i))
			printf("%s'--%s'", count++ ? ", " : "", option->name);
	}
	printf(")\n    $columns = @(");
	for (uint32_t i = 0; i < lf_device_table.count; i++)
		printf("%s'%s'", i ? ", " : "", lf_device_table.columns[i].name);
	printf(")\n");
}

static const char *operand_word(enum lf_operand what)
{
	switch (what) {
	case LF_OPERAND_IMAGE:
		return "image";
	case LF_OPERAND_DEVICE:
		return "device";
	case LF_OPERAND_SESSION:
		return "session";
	case LF_OPERAND_VERB:
		return "verb";
	default:
		return "";
	}
}

void lf_completion_powershell(void)
{
	const struct lf_verb *verb;
	char name[LF_VERB_NAME_ROOM];

	fputs(before_tables, stdout);
	print_verbs();
	print_options();
	print_values();
	printf("    $takes = @{\n");
	for (uint32_t i = 0; (verb = lf_table_verb(i)); i++) {
		if (verb->most > 0)
			printf("        '%s' = @('%s', '%s', %d)\n", lf_verb_name(verb, name, sizeof(name)),
				operand_word(verb->first), operand_word(verb->rest), (int)verb->most);
	}
	printf("    }\n");
	fputs(after_tables, stdout);
}
