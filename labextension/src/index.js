// JupyterLab 4 and Notebook 7: colours of SQL in code cells. No settings, no network.

import { EditorExtensionRegistry, IEditorExtensionRegistry } from '@jupyterlab/codemirror';

import { coloursFor } from './colours';

export default {
  id: 'tinymagic:colours',
  description: 'Colours of SQL in cells of %%tbsql',
  autoStart: true,
  requires: [IEditorExtensionRegistry],
  activate(_app, registry) {
    registry.addExtension({
      name: 'tinymagic',
      // Models of cells have a type; Markdown, raw text and files have none that is "code".
      factory: ({ model }) =>
        EditorExtensionRegistry.createImmutableExtension(model.type === 'code' ? coloursFor(model) : [])
    });
  }
};
