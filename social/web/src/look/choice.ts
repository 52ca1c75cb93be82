/** One action in a menu. */

import type { IconName } from "./shapes";

export interface Choice { label: string; icon: IconName; act: () => void; danger?: boolean; testid?: string }
