// `%%tbsql` as a language of CodeMirror: the line of the magic, ClickHouse's SQL, Tinybird's templates.
//
// tinymagic/notebook/sql_lexer.py does the same for terminal IPython. A magic's line has options that look like SQL's
// comments, and `{{ }}` and `{x:Type}` are no SQL, so one tokenizer knows them all.

import { StreamLanguage } from '@codemirror/language';
import { tags } from '@lezer/highlight';

import { ALSO_FUNCTIONS, CONSTANTS, KEYWORDS, STARTS, TEMPLATE, TYPES } from './words';

// What themes of JupyterLab have a colour for.
const TOKENS = {
  magic: tags.meta,
  option: tags.attributeName,
  keyword: tags.keyword,
  constant: tags.atom,
  type: tags.standard(tags.variableName),
  function: tags.definition(tags.variableName),
  parameter: tags.special(tags.variableName),
  name: tags.variableName,
  quoted: tags.special(tags.string),
  string: tags.string,
  number: tags.number,
  operator: tags.operator,
  mark: tags.meta,
  comment: tags.comment,
  punctuation: tags.punctuation
};

const NAME = /^[\p{L}_][\p{L}\p{N}_]*/u;
const NUMBER = /^(?:0x[\da-f]+|\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)/i;
const SPACES = /^\s+/;

// Read up to `closing`, perhaps over several lines.
function readUntil(stream, state, closing, escapes, kind) {
  state.inside = { closing, escapes, kind };
  while (!stream.eol()) {
    if (escapes && (stream.match('\\') || stream.match(closing + closing))) {
      stream.next();
    } else if (stream.match(closing)) {
      state.inside = null;
      break;
    } else {
      stream.next();
    }
  }
  return kind;
}

// Blank lines may stand before the magic.
function beforeMagic(stream, state) {
  if (stream.match(SPACES)) {
    return null;
  }
  state.token = stream.match(/^%%?tbsql(?!\w)/) ? inMagicLine : atStatement;
  return state.token === inMagicLine ? 'magic' : atStatement(stream, state);
}

function inMagicLine(stream, state) {
  if (stream.sol()) {
    state.token = atStatement;
    return atStatement(stream, state);
  }
  if (stream.match(SPACES)) {
    return null;
  }
  const word = stream.match(NAME, false);
  if (stream.match(/^(?:\(|--(?:\s|$)|\/\*)/, false) || (word && STARTS.has(word[0].toUpperCase()))) {
    state.token = atStatement;
    return atStatement(stream, state);
  }
  if (stream.match(/^--?[\p{L}_][\p{L}\p{N}_-]*/u)) {
    return 'option';
  }
  if (stream.match(/^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/)) {
    return 'string';
  }
  if (stream.match(/^\d+(?:\.\d+)?(?:ms|[smhdw])?(?![\p{L}\p{N}_])/u)) {
    return 'number';
  }
  if (stream.match(/^(?:<<|[=$|])/)) {
    return 'operator';
  }
  if (word) {
    stream.match(NAME);
    return 'parameter';
  }
  stream.next();
  return null;
}

// Blanks, comments and the braces of templates, which may stand anywhere; undefined when there is something else.
function aside(stream, state) {
  if (stream.match(SPACES)) {
    return null;
  }
  if (stream.match('--') || stream.match(/^#[! ]/)) {
    stream.skipToEnd();
    return 'comment';
  }
  if (stream.match('/*')) {
    return readUntil(stream, state, '*/', false, 'comment');
  }
  if (stream.match('{#')) {
    return readUntil(stream, state, '#}', false, 'comment');
  }
  if (stream.match('{{') || stream.match('{%')) {
    state.token = inTemplate;
    return 'mark';
  }
  return undefined;
}

// Before the first word of the SQL: also the `%` that makes it a template.
function atStatement(stream, state) {
  const found = aside(stream, state);
  if (found !== undefined) {
    return found;
  }
  if (stream.match(/^%(?!})/)) {
    return 'mark';
  }
  state.token = inSql;
  const word = stream.match(NAME, false);
  if (word && STARTS.has(word[0].toUpperCase())) {
    stream.match(NAME);
    return 'keyword';
  }
  return inSql(stream, state);
}

function inSql(stream, state) {
  const found = aside(stream, state);
  if (found !== undefined) {
    return found;
  }
  if (stream.match(/^\{\s*[\p{L}_][\p{L}\p{N}_]*\s*:[^{}]+\}/u)) {
    return 'parameter';
  }
  for (const [quote, kind] of [["'", 'string'], ['`', 'quoted'], ['"', 'quoted']]) {
    if (stream.match(quote)) {
      return readUntil(stream, state, quote, true, kind);
    }
  }
  const heredoc = stream.match(/^\$\w*\$/);
  if (heredoc) {
    return readUntil(stream, state, heredoc[0], false, 'string');
  }
  if (stream.match(NUMBER)) {
    return 'number';
  }
  const dotBefore = stream.string.charAt(stream.pos - 1) === '.';
  const word = stream.match(NAME);
  if (word) {
    // A name with a dot at either side is one of a column or table, whatever it is called.
    return dotBefore ? 'name' : wordKind(word[0], stream.match(/^\s*\(/, false), stream.match(/^\s*\.\s*\D/, false));
  }
  if (stream.match(/^(?:::|->|[=!<>]+|[-+*/%|?])/)) {
    return 'operator';
  }
  stream.next();
  return 'punctuation';
}

function wordKind(word, isCalled, dotBehind) {
  const upper = word.toUpperCase();
  if (isCalled && ALSO_FUNCTIONS.has(upper)) {
    return 'function';
  }
  if (!dotBehind && KEYWORDS.has(upper)) {
    return 'keyword';
  }
  if (CONSTANTS.has(upper)) {
    return 'constant';
  }
  if (TYPES.has(word)) {
    return 'type';
  }
  return isCalled ? 'function' : 'name';
}

function inTemplate(stream, state) {
  if (stream.match(SPACES)) {
    return null;
  }
  if (stream.match('}}') || stream.match('%}')) {
    state.token = inSql;
    return 'mark';
  }
  if (stream.match(/^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/)) {
    return 'string';
  }
  if (stream.match(/^\d+(?:\.\d+)?/)) {
    return 'number';
  }
  const word = stream.match(NAME);
  if (word) {
    if (TEMPLATE.has(word[0])) {
      return 'keyword';
    }
    return stream.match(/^\s*\(/, false) ? 'function' : 'parameter';
  }
  stream.next();
  return 'operator';
}

export const tbsql = StreamLanguage.define({
  name: 'tbsql',
  startState: () => ({ token: beforeMagic, inside: null }),
  copyState: state => ({ ...state }),
  token(stream, state) {
    if (state.inside) {
      const { closing, escapes, kind } = state.inside;
      return readUntil(stream, state, closing, escapes, kind);
    }
    return state.token(stream, state);
  },
  tokenTable: TOKENS,
  languageData: {
    commentTokens: { line: '--', block: { open: '/*', close: '*/' } },
    closeBrackets: { brackets: ['(', '[', '{', "'", '"', '`'] }
  }
});
