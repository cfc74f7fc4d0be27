// What Kubernetes' own API takes: its OpenAPI schema of each kind, and the fields of each, which the schema leaves open.
import { fileURLToPath } from 'node:url';
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Node } from 'kubernetes-models/v1/Node';
import { Pod } from 'kubernetes-models/v1/Pod';
import { Secret } from 'kubernetes-models/v1/Secret';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import ts from 'typescript';

const MODELS = { ConfigMap, DaemonSet, Deployment, Node, Pod, Secret, Service, ServiceAccount };

export type Kind = keyof typeof MODELS;

/** An object of the API, of a kind that may not exist. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

const isKind = (kind: string): kind is Kind => Object.hasOwn(MODELS, kind);

/** The model of a manifest's kind; throws when there is none in its version. */
function modelOf({ apiVersion, kind }: Manifest): (typeof MODELS)[Kind] {
  const model = isKind(kind) ? MODELS[kind] : undefined;
  if (model?.apiVersion !== apiVersion) throw new Error(`no matches for kind "${kind}" in version "${apiVersion}"`);
  return model;
}

/** What is wrong at a place of an object. */
export interface SchemaError {
  readonly instancePath: string;
  readonly message: string;
}

/** What the schema of its kind does not take of a manifest. */
export function schemaErrors(manifest: Manifest): SchemaError[] {
  const Model: new (data: never) => { validate(): void } = modelOf(manifest);
  try {
    new Model(manifest as never).validate();
    return [];
  } catch (error) {
    return (error as { errors: SchemaError[] }).errors;
  }
}

/** The compiler's type of each kind, which knows every field there is. */
function loadTypes(): { checker: ts.TypeChecker; types: ReadonlyMap<string, ts.Type> } {
  const file = fileURLToPath(new URL('kinds.ts', import.meta.url));
  const kinds = Object.values(MODELS).map(({ apiVersion, kind }) => {
    return `export type ${kind} = import('kubernetes-models/${apiVersion}/${kind}').I${kind};`;
  });
  const options = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(file, kinds.join('\n'), ts.ScriptTarget.ES2022, true)
      : getSourceFile(name, ...rest);
  const program = ts.createProgram([file], options, host);
  const checker = program.getTypeChecker();
  const types = new Map<string, ts.Type>();
  program.getSourceFile(file)?.forEachChild((node) => {
    if (ts.isTypeAliasDeclaration(node)) types.set(node.name.text, checker.getTypeAtLocation(node.name));
  });
  return { checker, types };
}

let loaded: ReturnType<typeof loadTypes> | undefined;

/** The paths of the fields that Kubernetes does not know in an object of this kind. */
export function unknownFields(manifest: Manifest): string[] {
  modelOf(manifest);
  loaded ??= loadTypes();
  const { checker, types } = loaded;
  const unknownIn = (value: unknown, type: ts.Type | undefined, path: string): string[] => {
    if (typeof value !== 'object' || value === null) return [];
    const members = type?.isUnion() ? type.types : [type];
    const known = members.find((member) => member !== undefined && (member.flags & ts.TypeFlags.Object) !== 0);
    if (known === undefined) return [path];
    if (Array.isArray(value)) {
      const element = checker.getIndexTypeOfType(known, ts.IndexKind.Number);
      return value.flatMap((item, index) => unknownIn(item, element, `${path}[${index}]`));
    }
    return Object.entries(value).flatMap(([name, member]) => {
      const property = known.getProperty(name);
      const its = property && checker.getTypeOfSymbol(property);
      const field = path === '' ? name : `${path}.${name}`;
      const declared = its ?? checker.getIndexTypeOfType(known, ts.IndexKind.String);
      return declared === undefined ? [field] : unknownIn(member, declared, field);
    });
  };
  return unknownIn(manifest, types.get(manifest.kind), '');
}
