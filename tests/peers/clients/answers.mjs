//! How the TypeScript clients answer what a server asks them. py_answers.py answers alike.
//!
//! An answer is made from the question and the client's name and from nothing else: a question that reached the wrong
//! client, or an answer that reached the wrong question, shows in the result.

/** The methods a server asks by, and what answers them: (name, params) => result. */
export const ANSWERS = {
  'elicitation/create': elicited,
  'sampling/createMessage': sampled,
  'roots/list': roots,
};

/** What a client declares that can do what `can` names. */
export function capabilities(can) {
  const has = (feature) => can.includes(feature);
  return {
    ...(has('roots') && { roots: { listChanged: true } }),
    ...(has('sampling') && { sampling: has('sampling.tools') ? { tools: {} } : {} }),
    ...(has('elicitation') && { elicitation: { form: {}, ...(has('elicitation.url') && { url: {} }) } }),
    ...(has('tasks') && {
      tasks: { requests: { sampling: { createMessage: {} }, elicitation: { create: {} } }, list: {}, cancel: {} },
    }),
  };
}

function elicited(name, params) {
  const refused = /\b(decline|cancel) please\b/.exec(params.message);
  if (refused) {
    return { action: refused[1] };
  }
  if (params.mode === 'url') {
    return { action: 'accept' };
  }
  const fields = Object.entries(params.requestedSchema.properties);
  const content = Object.fromEntries(fields.map(([key, schema]) => [key, value(name, params.message, key, schema)]));
  return { action: 'accept', content };
}

function value(name, message, key, schema) {
  const seed = [...`${message}/${key}`].reduce((sum, letter) => sum + letter.codePointAt(0), 0);
  const choice = choices(schema);
  if (choice) {
    return schema.type === 'array' ? [choice[seed % choice.length]] : choice[seed % choice.length];
  }
  const low = schema.minimum ?? 0;
  const steps = (schema.maximum ?? low + 100) - low;
  switch (schema.type) {
    case 'boolean':
      return seed % 2 === 0;
    case 'integer':
      return low + (seed % (steps + 1));
    case 'number':
      return low + (seed % steps) + 0.25;
  }
  switch (schema.format) {
    case 'email':
      return `${key}-${seed}@peers.example`;
    case 'uri':
      return `https://peers.example/${name}/${key}/${seed}`;
    case 'date':
      return `2026-01-${10 + (seed % 20)}`;
    case 'date-time':
      return `2026-01-${10 + (seed % 20)}T12:00:00Z`;
  }
  return `${name} says ${key} to: ${message}`;
}

function choices(schema) {
  const named = schema.items?.anyOf ?? schema.oneOf;
  return schema.items?.enum ?? schema.enum ?? named?.map((one) => one.const);
}

function sampled(name, params) {
  const last = params.messages.at(-1);
  const blocks = [last.content].flat();
  const said = blocks.map((block) => block.text ?? block.content?.[0]?.text ?? block.type).join(' ');
  const base = { role: 'assistant', model: `${name}-model` };
  const tool = params.tools?.[0];
  if (tool && blocks.every((block) => block.type !== 'tool_result')) {
    const use = { type: 'tool_use', id: `use-${params.messages.length}`, name: tool.name, input: { asked: said } };
    return { ...base, stopReason: 'toolUse', content: use };
  }
  // A model that is told word for word what to say.
  const word = /\bsay exactly: (.+)/.exec(said)?.[1];
  const text = word ?? `${name} completes: ${said} (${params.maxTokens} tokens, ${params.systemPrompt ?? 'no system prompt'})`;
  return { ...base, stopReason: 'endTurn', content: { type: 'text', text } };
}

function roots(name) {
  return {
    roots: ['one', 'two'].map((root) => ({ uri: `file:///peers/${name}/${root}`, name: `${name} ${root}` })),
  };
}
