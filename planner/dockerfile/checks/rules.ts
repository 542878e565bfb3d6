/** The build checks, each with what to do about it. Names are those of Docker docs, "Build checks". */
export const rules = {
  StageNameCasing: 'Write the name in lower case; it is compared so.',
  FromAsCasing: 'Write FROM and AS in the same case.',
  NoEmptyContinuation: 'Take the blank line out, or put a # in front.',
  ConsistentInstructionCasing: 'Write all instructions in the same case.',
  DuplicateStageName: 'Give each stage a name of its own: later references mean the last.',
  ReservedStageName: 'Choose another name: scratch and context mean something else.',
  JSONArgsRecommended: 'Write it as ["program", "argument"]: a shell in between does not pass signals on.',
  MaintainerDeprecated: 'Use LABEL org.opencontainers.image.authors="…".',
  UndefinedArgInFrom: 'Declare it with ARG before the first FROM.',
  UndefinedVar: 'Declare it with ARG or ENV in this stage, or correct the name.',
  WorkdirRelativePath: 'Begin with an absolute WORKDIR, or the base image decides where it is.',
  MultipleInstructionsDisallowed: 'Only the last of them in a stage counts: remove the others.',
  LegacyKeyValueFormat: 'Write NAME=value.',
  CopyIgnoredFile: 'The ignore file leaves it out: change one of the two.',
  SecretsUsedInArgOrEnv: 'Such values stay in the image: use RUN --mount=type=secret.',
  RedundantTargetPlatform: 'Take --platform out: it is the default.',
  FromPlatformFlagConstDisallowed: 'Take --platform out, or use $BUILDPLATFORM.',
  InvalidDefaultArgInFrom: 'Give the ARG a default that makes a valid image name.',
  InvalidBaseImagePlatform: 'The image was made for another platform: choose a variant that fits.',
  ExposeProtoCasing: 'Write the protocol in lower case.',
  ExposeInvalidFormat: 'EXPOSE takes a container port only; publish it when the container runs.',
} as const;

export type Rule = keyof typeof rules;
