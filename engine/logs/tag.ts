/** The `tag` of a log driver. Source: docs.docker.com "Customize log driver output". */
import type { ContainerRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';

type Container = Pick<ContainerRecord, 'id' | 'name' | 'image' | 'service'>;

/** The short id unless said otherwise. @throws config.value for a field docker does not know. */
export function logTag(template: string | undefined, { id, name, image, service }: Container): string {
  const imageId = image.id.replace(/^sha256:/, '');
  const fields: Record<string, string> = {
    ID: id.slice(0, 12),
    FullID: id,
    Name: name,
    ImageID: imageId.slice(0, 12),
    ImageFullID: image.id,
    ImageName: image.name,
    DaemonName: 'stack',
  };
  const tag = (template || '{{.ID}}').replace(/\{\{\s*(.*?)\s*\}\}/g, (_, field: string) => {
    const key = field.replace(/^\./, '');
    if (field.startsWith('.') && Object.hasOwn(fields, key)) return fields[key]!;
    const resource = `services.${service}.logging.options.tag`;
    throw new StackError('config.value', {
      message: `${resource}: {{${field}}} stands for nothing`,
      hint: `Known are ${Object.keys(fields)
        .map((one) => `{{.${one}}}`)
        .join(', ')}.`,
      resource,
    });
  });
  // A tag is one word of a line.
  return tag.replace(/[\s\0]/g, '_');
}
