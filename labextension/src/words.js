// The words of SQL and of templates, from the list that terminal IPython's colours use too.
import lists from '../../tinymagic/notebook/sql_words.json';

const setOf = text => new Set(text.split(' '));

export const STARTS = setOf(lists.starts);
export const KEYWORDS = setOf(lists.keywords);
export const ALSO_FUNCTIONS = setOf(lists.also_functions);
export const CONSTANTS = setOf(lists.constants);
export const TYPES = setOf(lists.types);
export const TEMPLATE = setOf(lists.template);
