// Which text of a cell is SQL, and its colours there.

import { highlightingFor, language } from '@codemirror/language';
import { Compartment, EditorState, Prec, RangeSetBuilder } from '@codemirror/state';
import { Decoration, ViewPlugin } from '@codemirror/view';
import { highlightTree } from '@lezer/highlight';

import { tbsql } from './language';

// Blank lines may stand before a cell magic, but no comments: IPython knows it by the cell's first word.
const CELL = /^\s*%%tbsql(?!\w)/;
const LINE = /^(\s*|[^#%'"]*=\s*)%tbsql(?!\w)/;
// A cell is known by its beginning; longer texts are not read for it at each key.
const BEGINNING = 1000;

const isSqlCell = text => CELL.test(text.sliceString(0, BEGINNING));

// The language of the cell, in front of the notebook's own while the cell begins with `%%tbsql`. The cell's MIME type
// stays: to the kernel, to completion and to other extensions this is a cell of IPython.
function sqlCells(model) {
  const place = new Compartment();
  const chosen = isSql => (isSql ? Prec.highest(tbsql) : []);
  return [
    place.of(chosen(CELL.test(model.sharedModel.getSource().slice(0, BEGINNING)))),
    EditorState.transactionExtender.of(change => {
      const isSql = isSqlCell(change.newDoc);
      const isShown = change.startState.facet(language) === tbsql;
      return isSql === isShown ? null : { effects: place.reconfigure(chosen(isSql)) };
    })
  ];
}

function lineMagics(view) {
  const marks = new RangeSetBuilder();
  const { doc } = view.state;
  if (!isSqlCell(doc)) {
    for (const { from, to } of view.visibleRanges) {
      for (let at = from; at <= to; ) {
        const line = doc.lineAt(at);
        const found = LINE.exec(line.text);
        if (found) {
          const start = line.from + found[1].length;
          const tree = tbsql.parser.parse(doc.sliceString(start, line.to));
          const style = { style: tags => highlightingFor(view.state, tags) };
          highlightTree(tree, style, (begin, end, classes) => {
            marks.add(start + begin, start + end, Decoration.mark({ class: classes }));
          });
        }
        at = line.to + 1;
      }
    }
  }
  return marks.finish();
}

// `df = %tbsql SELECT ...` in a cell of Python: marks over Python's.
const sqlLines = ViewPlugin.fromClass(
  class {
    constructor(view) {
      this.marks = lineMagics(view);
    }

    update(update) {
      if (update.docChanged || update.viewportChanged) {
        this.marks = lineMagics(update.view);
      }
    }
  },
  { decorations: plugin => plugin.marks }
);

export const coloursFor = model => [sqlCells(model), Prec.highest(sqlLines)];
