import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// While developing, the API is that of a running `social serve`: SOCIAL_WEB_API=http://127.0.0.1:8080 npm run dev
const api = process.env["SOCIAL_WEB_API"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
  build: {
    assetsInlineLimit: 0, // the page's policy knows no data: scripts, styles or fonts
    modulePreload: { polyfill: false }, // the polyfill would be an inline script
    target: "es2023",
    reportCompressedSize: false,
  },
  server: {
    proxy: { "/api": api, "/m/": api, "/live": { target: api, ws: true } },
  },
  test: { include: ["tests/**/*.test.ts"] },
});
