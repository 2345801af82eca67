# Every process of Sluice: `up` (embedded, the default), `serve`, `worker`, and each command. Runs as an unprivileged user on
# a read-only root; only /data is written, and /tmp. Configuration and keys are mounted at /app/config.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
COPY scripts ./scripts
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY . .
# Commands look for their data in .sluice unless they are told otherwise.
RUN mkdir /data && chown node:node /data && chmod 700 /data && ln -s /data .sluice
# node, by number: so that an orchestrator can see that it is not root.
USER 1000:1000
VOLUME /data
EXPOSE 8380
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8380/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/sluice.js"]
CMD ["up"]
