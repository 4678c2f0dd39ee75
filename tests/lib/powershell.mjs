// SPDX-License-Identifier: BSD-2-Clause
// powershell.mjs PLACE: the tree of the PowerShell script on standard input as JSON; PLACE is where npm installed.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';

const modules = join(process.argv[2], 'node_modules');
const {Parser, Language} = createRequire(join(modules, 'x'))('web-tree-sitter');

await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(join(modules, 'tree-sitter-powershell', 'tree-sitter-powershell.wasm')));

const source = readFileSync(0, 'utf8');

const cursor = parser.parse(source).walk();

// Of the node that the cursor is on.
function tree() {
	const error = cursor.nodeType === 'ERROR' || cursor.nodeIsMissing;
	const node = {
		kind: cursor.nodeType,
		text: source.slice(cursor.startIndex, cursor.endIndex),
		row: cursor.startPosition.row + 1,
		error,
		named: cursor.nodeIsNamed || error,
		children: [],
	};
	if (cursor.gotoFirstChild()) {
		do {
			const child = tree();
			if (child.named)
				node.children.push(child);
		} while (cursor.gotoNextSibling());
		cursor.gotoParent();
	}
	return node;
}

console.log(JSON.stringify(tree()));
