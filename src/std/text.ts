/** A sentence for people, in both languages that the gateway speaks. */
export interface Text {
  readonly zh: string;
  readonly en: string;
}

export type Language = keyof Text;
