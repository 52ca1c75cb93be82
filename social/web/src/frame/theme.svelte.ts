/** Light, dark, or as the device says. `public/theme.js` applies it before the first paint. */

export type Theme = "system" | "light" | "dark";

class Look {
  theme = $state<Theme>((localStorage.getItem("theme") as Theme | null) ?? "system");

  choose(theme: Theme): void {
    this.theme = theme;
    if (theme === "system") {
      localStorage.removeItem("theme");
      delete document.documentElement.dataset["theme"];
    } else {
      localStorage.setItem("theme", theme);
      document.documentElement.dataset["theme"] = theme;
    }
  }

  /** Whether the page is dark now. */
  isDark(): boolean {
    return this.theme === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : this.theme === "dark";
  }
}

export const look = new Look();
