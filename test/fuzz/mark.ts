/**
 * Every hostile value carries a marker that nothing else contains: where one turns up in an error or in a log, a value
 * that was sent has been repeated.
 */
export const MARK = 'zq7k';
