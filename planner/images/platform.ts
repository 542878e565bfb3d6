/** Platforms as people write them. Source: image-spec image-index.md `platform`; containerd's names and defaults. */
import { StackError } from '../../schemas/errors.ts';
import type { Platform } from '../../schemas/oci-image.ts';

const architectures: Record<string, string> = {
  x64: 'amd64',
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armv7l: 'arm',
  ia32: '386',
  i386: '386',
  ppc64: 'ppc64le',
};

/**
 * Reads `os[/arch[/variant]]` or `arch` as `platform:` of a service and `--platform` give it.
 * @throws StackError `image.platform` where it has no such form
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw new StackError('image.platform', {
      message: `Platform "${text}" is not valid.`,
      hint: 'A platform reads os/architecture[/variant], as in linux/arm64.',
    });
  }
  const [os, architecture, variant] = parts as [string, string?, string?];
  if (!architecture && os !== 'linux') return normalised({ os: 'linux', architecture: os });
  return normalised({ os, architecture: architecture ?? process.arch, ...(variant ? { variant } : {}) });
}

/** The usual names: `amd64` for `x86_64`, `v7` for an arm without variant. */
export function normalised(platform: Platform): Platform {
  const architecture = architectures[platform.architecture] ?? platform.architecture;
  let variant: string | undefined = platform.variant;
  if (architecture === 'arm') variant ??= 'v7';
  if (architecture === 'arm64' && (variant === 'v8' || variant === '8')) variant = undefined;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  if (variant && /^[0-9]/.test(variant)) variant = `v${variant}`;
  return { os: platform.os, architecture, ...(variant ? { variant } : {}) };
}

export function showPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}
