import type { IdentityContext } from '../identity/change.ts';
import type { IssueTokenContext } from '../identity/issue-token.ts';
import type { Route } from './route.ts';
import { type CatalogueRouteDeps, catalogueRoutes } from './routes/catalogue.ts';
import { type FilerRouteDeps, filerRoutes } from './routes/filers.ts';
import { type FilingTypeRouteDeps, filingTypeRoutes } from './routes/filing-types.ts';
import { type FilingRouteDeps, filingRoutes } from './routes/filings.ts';
import { importRoutes } from './routes/import.ts';
import { nationalRoutes } from './routes/national.ts';
import { oauthRoutes } from './routes/oauth.ts';
import { type OfficeDeps, officeRoutes } from './routes/offices.ts';
import { partyRoutes } from './routes/parties.ts';
import { type SettingsRouteDeps, settingsRoutes } from './routes/settings.ts';
import { signedMandateRoutes } from './routes/signed-mandates.ts';
import { type SystemRouteDeps, systemRoutes } from './routes/system.ts';
import { type TrailRouteDeps, trailRoutes } from './routes/trail.ts';
import { type WellKnownDeps, wellKnownRoutes } from './routes/well-known.ts';

export interface GatewayRouteDeps {
  readonly filings: FilingRouteDeps;
  readonly filers: FilerRouteDeps;
  readonly filingTypes: FilingTypeRouteDeps;
  readonly catalogue: CatalogueRouteDeps;
  readonly offices: OfficeDeps;
  readonly identity: IdentityContext;
  readonly settings: SettingsRouteDeps;
  readonly trail: TrailRouteDeps;
  readonly oauth: IssueTokenContext;
  readonly wellKnown: WellKnownDeps;
  readonly system: SystemRouteDeps;
}

/** Every operation of the gateway: what it serves, what the OpenAPI document says, what the access matrix is made from. */
export function gatewayRoutes(deps: GatewayRouteDeps): readonly Route[] {
  return [
    ...filingRoutes(deps.filings),
    ...filerRoutes(deps.filers),
    ...filingTypeRoutes(deps.filingTypes),
    ...catalogueRoutes(deps.catalogue),
    ...officeRoutes(deps.offices),
    ...nationalRoutes(deps.offices),
    ...partyRoutes(deps.identity),
    ...signedMandateRoutes(deps.identity),
    ...importRoutes(deps.identity),
    ...settingsRoutes(deps.settings),
    ...trailRoutes(deps.trail),
    ...oauthRoutes(deps.oauth),
    ...wellKnownRoutes(deps.wellKnown),
    ...systemRoutes(deps.system),
  ];
}
