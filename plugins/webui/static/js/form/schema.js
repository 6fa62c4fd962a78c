// What a JSON schema says of one value, as far as a form can use it. What it cannot is filled in as JSON.

const DEEPEST = 12;

/**
 * The shape of `schema`: `{ kind, schema, nullable, choices, variants }`. `kind` is `string`, `number`, `integer`,
 * `boolean`, `choice`, `array`, `object`, `variants`, `constant` or `json`. References are looked up in `root`.
 */
export function shape(schema, root, depth = 0) {
  if (schema === true || schema === undefined || schema === null || typeof schema !== 'object') {
    return { kind: 'json', schema: {}, nullable: false };
  }
  if (depth > DEEPEST) {
    return { kind: 'json', schema, nullable: false };
  }
  if (schema.$ref !== undefined) {
    const target = lookUp(schema.$ref, root);
    const { $ref, ...rest } = schema;
    return target ? shape({ ...target, ...rest }, root, depth + 1) : { kind: 'json', schema: rest, nullable: false };
  }
  if (Array.isArray(schema.allOf)) {
    return shape(merged(schema, root), root, depth + 1);
  }
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (Array.isArray(alternatives)) {
    return ofAlternatives(schema, alternatives, root, depth);
  }
  if ('const' in schema) {
    return { kind: 'constant', schema, nullable: false, choices: [{ value: schema.const }] };
  }
  if (Array.isArray(schema.enum)) {
    const choices = schema.enum.map((value) => ({ value }));
    return { kind: 'choice', schema, nullable: false, choices };
  }
  return ofType(schema);
}

function ofType(schema) {
  const types = [schema.type ?? []].flat();
  const nullable = types.includes('null');
  const real = types.filter((type) => type !== 'null');
  if (real.length > 1) {
    return { kind: 'json', schema, nullable };
  }
  const kind = real[0] ?? (schema.properties ? 'object' : schema.items ? 'array' : 'json');
  const hasNoMembers = kind === 'object' && !Object.keys(schema.properties ?? {}).length;
  const hasTuples = kind === 'array' && (Array.isArray(schema.items) || schema.prefixItems);
  return { kind: hasNoMembers || hasTuples ? 'json' : kind, schema, nullable, isObject: kind === 'object' };
}

function ofAlternatives(schema, alternatives, root, depth) {
  const { oneOf, anyOf, ...rest } = schema;
  const isNull = (one) => one?.type === 'null' || (one && 'const' in one && one.const === null);
  const real = alternatives.filter((one) => !isNull(one));
  const nullable = real.length < alternatives.length;
  if (real.length === 1) {
    return { ...shape({ ...real[0], ...rest }, root, depth + 1), nullable };
  }
  if (real.every((one) => one && 'const' in one)) {
    const choices = real.map((one) => ({ value: one.const, title: one.title ?? one.description }));
    return { kind: 'choice', schema: rest, nullable, choices };
  }
  const variants = real.map((one, at) => ({ schema: one, title: one?.title ?? `${named(one, root)} ${at + 1}` }));
  return { kind: 'variants', schema: rest, nullable, variants };
}

function named(one, root) {
  const target = one?.$ref ? lookUp(one.$ref, root) : one;
  return target?.title ?? target?.type ?? 'Form';
}

function merged(schema, root) {
  const { allOf, ...rest } = schema;
  const whole = { ...rest, properties: { ...rest.properties }, required: [...(rest.required ?? [])] };
  for (const part of allOf) {
    const one = part?.$ref ? lookUp(part.$ref, root) : part;
    if (!one || typeof one !== 'object') {
      continue;
    }
    const { properties, required, ...others } = one;
    Object.assign(whole, others, rest);
    Object.assign(whole.properties, properties);
    whole.required.push(...(required ?? []));
  }
  if (!Object.keys(whole.properties).length) {
    delete whole.properties;
  }
  return whole;
}

/** A reference within the same schema: `#`, `#/…`. */
function lookUp(reference, root) {
  if (typeof reference !== 'string' || !reference.startsWith('#')) {
    return null;
  }
  let found = root;
  for (const part of reference.slice(1).split('/').filter(Boolean)) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    found = Object.hasOwn(found ?? {}, name) ? found[name] : undefined;
  }
  return found && typeof found === 'object' ? found : null;
}
